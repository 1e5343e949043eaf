#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/experiment.h"
#include "cli/stop_signals.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "experiments/dsc/report.h"
#include "experiments/sacd/experiment.h"
#include "experiments/sacd/report.h"

namespace cleave::cli {
namespace {

struct SacdFlags {
  experiments::sacd::Options options;
  std::string deadline;
  std::vector<std::string> parts = {"simulated", "real"};
};

absl::Status RunSacd(SacdFlags& flags) {
  experiments::sacd::Options& options = flags.options;
  CLEAVE_ASSIGN_OR_RETURN(options.parts, experiments::sacd::ParseParts(flags.parts));
  if (!flags.deadline.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t deadline_us, ParseDurationUs(flags.deadline));
    options.deadline_us = static_cast<double>(deadline_us);
  }
  options.program = ThisProgram();
  options.command_line = CommandLine();
  options.on_progress = [](const std::string& line) { std::cerr << line << std::endl; };
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::sacd::Results results,
                          experiments::sacd::RunExperiment(options));
  std::cout << experiments::sacd::ToText(results) << experiments::rig::GoalsTable(results.goals)
            << "results: " << options.output << "\n";
  if (!options.report.empty()) std::cout << "report: " << options.report << "\n";
  return absl::OkStatus();
}

void AddRealFlags(CLI::App& command, SacdFlags& flags) {
  experiments::sacd::Options& options = flags.options;
  command
      .add_option(
          "--data", options.data,
          "Folder of labelled pictures (CLASS/*.jpg) that the model was not trained on, for the "
          "real part")
      ->type_name("DIR");
  command
      .add_option("--inferences", options.inferences, "Real inferences of each policy that count")
      ->capture_default_str();
  command
      .add_option("--block", options.block,
                  "Inferences of one policy before the next one takes its turn")
      ->capture_default_str();
  command
      .add_option("--warmup", options.warmup,
                  "Inferences at the start of each block that do not count")
      ->capture_default_str();
  command
      .add_option("--device-share", options.device_share,
                  "Share of a core that stands for the slow-down 1 of the environment (needs root)")
      ->capture_default_str();
  command.add_flag("--cpu-quota", options.cpu_quota,
                   "Slow the device by a CPU quota of the kernel, not by other work on its core");
  command
      .add_option("--deadline", flags.deadline,
                  "Deadline of the real part (default: the middle of the environment's range)")
      ->type_name("DURATION");
  command.add_option(
      "--max-miss", options.max_miss,
      "Also measure SAC-d with hedging when the probability of a miss is above this share "
      "(default: not)");
  command.add_flag("--relay", options.force_relay,
                   "Shape the link in user space even if run as root");
}

}  // namespace

absl::Status RedrawSacd(const std::string& json, const std::string& origin,
                        const std::string& page) {
  CLEAVE_ASSIGN_OR_RETURN(experiments::sacd::Results results,
                          experiments::sacd::FromJson(json, origin));
  experiments::sacd::Conclude(results);
  std::cout << experiments::sacd::ToText(results) << experiments::rig::GoalsTable(results.goals);
  return experiments::sacd::WriteReport(results, page);
}

void AddSacdExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "sacd",
      "Compare learned policies with their rivals and the oracle, simulated on held-out courses "
      "and measured with real processes in the same world, and check their goals");
  const auto flags = std::make_shared<SacdFlags>();
  experiments::sacd::Options& options = flags->options;
  command->add_option("model", options.model, "ONNX file of a calibrated model")->required();
  command
      ->add_option("--env", options.environment,
                   "Environment file (docs/environment.md), whose held-out traces are used")
      ->required()
      ->type_name("FILE.toml");
  command
      ->add_option(
          "--policy", options.policies,
          "Learned policies to compare; those of one algorithm count as its seeds (default: none)")
      ->delimiter(',')
      ->type_name("FILE.onnx,...");
  command
      ->add_option("--parts", flags->parts,
                   "Parts of the experiment to run (default: simulated,real)")
      ->delimiter(',')
      ->default_str("");
  command
      ->add_option("--traces", options.traces,
                   "Mahimahi traces instead of the environment's, each UP or UP:DOWN")
      ->delimiter(',');
  command
      ->add_option("--traces-dir", options.traces_dir,
                   "Folder in which the environment's traces are looked up (default: the folder of "
                   "its file)")
      ->type_name("DIR");
  command->add_option("--courses", options.courses, "Number of simulated episodes of each policy")
      ->capture_default_str();
  AddRealFlags(*command, *flags);
  command
      ->add_option(
          "--curves", options.curves,
          "Learning curves to show in the report, written by cleave train policy (default: none)")
      ->type_name("FILE.json");
  command->add_option("--seed", options.seed, "Seed of the courses, the order and the pictures")
      ->capture_default_str();
  command->add_option("-o,--output", options.output, "JSON file to write the results to")
      ->type_name("FILE.json")
      ->capture_default_str();
  command
      ->add_option("--report", options.report,
                   "HTML file to write a page with charts to (default: none)")
      ->type_name("FILE.html");
  command->callback([flags, &action] { action = [flags] { return RunSacd(*flags); }; });
}

}  // namespace cleave::cli
