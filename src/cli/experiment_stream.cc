#include <iostream>
#include <memory>
#include <vector>

#include "cli/experiment.h"
#include "cli/stop_signals.h"
#include "core/status_macros.h"
#include "experiments/stream/experiment.h"

namespace cleave::cli {
namespace {

struct StreamFlags {
  experiments::stream::Options options;
  std::vector<double> rates_mbit;
};

absl::Status RunStream(StreamFlags& flags) {
  experiments::stream::Options& options = flags.options;
  Equip(options);
  if (!flags.rates_mbit.empty()) options.rates_bps = RatesOf(flags.rates_mbit);
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::stream::Results results,
                          experiments::stream::RunExperiment(options, CommandLine()));
  std::cout << experiments::stream::ToText(results) << "\nresults: " << options.output << "\n";
  return absl::OkStatus();
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
  command
      ->add_option("model", options.model, "ONNX file of a calibrated model with codecs beside it")
      ->required();
  command->add_option("--data", options.data, "Folder of pictures that nothing was fitted to")
      ->required()
      ->type_name("DIR");
  command->add_option("--rates", flags->rates_mbit, "Link rates in Mbit/s (default: 1,2,5,10,50)")
      ->delimiter(',');
  command
      ->add_option("--device-shares", options.device_shares,
                   "Shares of a core that the device gets, which need root below 1 (default: "
                   "0.125,0.25,1)")
      ->delimiter(',');
  command
      ->add_option("--min-accuracy", options.min_accuracy,
                   "Least calibrated accuracy or agreement of the plans, as a share")
      ->capture_default_str();
  command
      ->add_option("--in-flight", options.in_flight, "Inferences that overlap, of every contender")
      ->capture_default_str();
  command
      ->add_option("--seconds", options.seconds,
                   "Seconds of each contender at each rate and share, in two halves")
      ->capture_default_str();
  AddRigFlags(*command, options);
  command->callback([flags, &action] { action = [flags] { return RunStream(*flags); }; });
}

}  // namespace cleave::cli
