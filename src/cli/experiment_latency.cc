#include <memory>
#include <string>
#include <vector>

#include "cli/experiment.h"
#include "core/status_macros.h"
#include "experiments/latency/experiment.h"

namespace cleave::cli {
namespace {

struct LatencyFlags {
  experiments::latency::Options options;
  std::vector<double> rates_mbit;
};

absl::Status RunLatency(LatencyFlags& flags) {
  return RunGrid(flags.options, flags.rates_mbit, [&]() -> absl::StatusOr<std::string> {
    CLEAVE_ASSIGN_OR_RETURN(const experiments::latency::Results results,
                            experiments::latency::RunExperiment(flags.options, CommandLine()));
    return experiments::latency::ToText(results);
  });
}

}  // namespace

void AddLatencyExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "latency",
      "Compare the time of an inference by fitted codecs with the device alone, with pictures and "
      "with the other encodings, over link rates and shares of a core, at a bar of accuracy");
  const auto flags = std::make_shared<LatencyFlags>();
  experiments::latency::Options& options = flags->options;
  AddGridFlags(*command, options, flags->rates_mbit);
  command
      ->add_option("--inferences", options.inferences,
                   "Inferences of each contender at each rate and share")
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return RunLatency(*flags); }; });
}

}  // namespace cleave::cli
