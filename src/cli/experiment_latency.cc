#include <iostream>
#include <memory>
#include <vector>

#include "cli/experiment.h"
#include "cli/stop_signals.h"
#include "core/status_macros.h"
#include "experiments/latency/experiment.h"

namespace cleave::cli {
namespace {

struct LatencyFlags {
  experiments::latency::Options options;
  std::vector<double> rates_mbit;
};

absl::Status RunLatency(LatencyFlags& flags) {
  experiments::latency::Options& options = flags.options;
  Equip(options);
  if (!flags.rates_mbit.empty()) options.rates_bps = RatesOf(flags.rates_mbit);
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::latency::Results results,
                          experiments::latency::RunExperiment(options, CommandLine()));
  std::cout << experiments::latency::ToText(results) << "\nresults: " << options.output << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddLatencyExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "latency",
      "Compare the time of an inference by fitted codecs with the device alone, with pictures and "
      "with the other encodings, over link rates and shares of a core, at a bar of accuracy");
  const auto flags = std::make_shared<LatencyFlags>();
  experiments::latency::Options& options = flags->options;
  command
      ->add_option("model", options.model, "ONNX file of a calibrated model with codecs beside it")
      ->required();
  command->add_option("--data", options.data, "Folder of pictures that nothing was fitted to")
      ->required()
      ->type_name("DIR");
  command->add_option("--rates", flags->rates_mbit, "Link rates in Mbit/s (default: 0.5,1,2,5,10)")
      ->delimiter(',');
  command
      ->add_option("--device-shares", options.device_shares,
                   "Shares of a core that the device gets, which need root below 1 (default: "
                   "0.25,0.125)")
      ->delimiter(',');
  command
      ->add_option("--min-accuracy", options.min_accuracy,
                   "Least calibrated accuracy or agreement of the plans, as a share")
      ->capture_default_str();
  command
      ->add_option("--inferences", options.inferences,
                   "Inferences of each contender at each rate and share")
      ->capture_default_str();
  AddRigFlags(*command, options);
  command->callback([flags, &action] { action = [flags] { return RunLatency(*flags); }; });
}

}  // namespace cleave::cli
