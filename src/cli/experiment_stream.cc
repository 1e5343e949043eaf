#include <memory>
#include <string>
#include <vector>

#include "cli/experiment.h"
#include "core/status_macros.h"
#include "experiments/stream/experiment.h"

namespace cleave::cli {
namespace {

struct StreamFlags {
  experiments::stream::Options options;
  std::vector<double> rates_mbit;
};

absl::Status RunStream(StreamFlags& flags) {
  return RunGrid(flags.options, flags.rates_mbit, [&]() -> absl::StatusOr<std::string> {
    CLEAVE_ASSIGN_OR_RETURN(const experiments::stream::Results results,
                            experiments::stream::RunExperiment(flags.options, CommandLine()));
    return experiments::stream::ToText(results);
  });
}

}  // namespace

void AddStreamExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "stream",
      "Compare how many frames a second are answered where inferences overlap: by the policy "
      "dynamic, by the device alone, by pictures that are sent and by fixed cuts, over link rates "
      "and shares of a core, at a bar of accuracy");
  const auto flags = std::make_shared<StreamFlags>();
  experiments::stream::Options& options = flags->options;
  AddGridFlags(*command, options, flags->rates_mbit);
  command
      ->add_option("--in-flight", options.in_flight, "Inferences that overlap, of every contender")
      ->capture_default_str();
  command
      ->add_option("--seconds", options.seconds,
                   "Seconds of each contender at each rate and share, in two halves")
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return RunStream(*flags); }; });
}

}  // namespace cleave::cli
