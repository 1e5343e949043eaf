#include "cli/experiment.h"

#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/commands.h"
#include "cli/stop_signals.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "experiments/dsc/experiment.h"
#include "experiments/dsc/goals.h"
#include "experiments/dsc/micro.h"
#include "experiments/dsc/report.h"
#include "experiments/elastic/experiment.h"
#include "experiments/exits/experiment.h"
#include "experiments/rig/worker.h"
#include "experiments/sacd/results.h"

namespace cleave::cli {
namespace {

struct DscFlags {
  experiments::dsc::Options options;
  std::vector<double> rates;
  std::vector<std::int64_t> batches;
  std::vector<std::string> loads;
  std::vector<std::string> parts;
  std::string time_budget;
  bool shortened = false;
};

absl::Status RunDsc(DscFlags& flags) {
  experiments::dsc::Options& options = flags.options;
  if (flags.shortened) options.Shorten();
  if (!flags.rates.empty()) {
    options.rates_bps = flags.rates;
    for (double& rate : options.rates_bps) rate *= 1e6;
  }
  if (!flags.batches.empty()) options.batches = flags.batches;
  if (!flags.loads.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(options.loads, experiments::dsc::ParseLoads(flags.loads));
  }
  if (!flags.parts.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(options.parts, experiments::dsc::ParseParts(flags.parts));
  }
  if (!flags.time_budget.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(options.time_budget_us, ParseDurationUs(flags.time_budget));
  }
  options.program = ThisProgram();
  options.command_line = CommandLine();
  const auto bench = std::filesystem::path(options.program).parent_path().parent_path() / "bench" /
                     "loopback_bench";
  if (options.loopback_bench.empty() && std::filesystem::exists(bench)) {
    options.loopback_bench = bench.string();
  }
  options.on_progress = [](const std::string& line) { std::cerr << line << std::endl; };
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::dsc::Results results,
                          experiments::dsc::RunExperiment(options));
  std::cout << experiments::rig::GoalsTable(results.goals) << "results: " << options.output << "\n";
  if (!options.report.empty()) std::cout << "report: " << options.report << "\n";
  return absl::OkStatus();
}

void AddDsc(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "dsc",
      "Dynamic split computing against every fixed cut, over link rates, batch sizes and edge "
      "loads; with the goals it is held to");
  const auto flags = std::make_shared<DscFlags>();
  experiments::dsc::Options& options = flags->options;
  command->add_option("--models", options.models, "Model files, or folders whose *.onnx are taken")
      ->delimiter(',')
      ->required();
  command->add_option("--rates", flags->rates, "Link rates in Mbit/s (1,2,5,10,20,50,100,300)")
      ->delimiter(',');
  command->add_option("--batches", flags->batches, "Batch sizes (1,4,16)")->delimiter(',');
  command->add_option("--loads", flags->loads, "Of the edge (idle,busy)")->delimiter(',');
  command->add_option("--parts", flags->parts, "Of the experiment (micro,grid,step,trace,kills)")
      ->delimiter(',');
  command
      ->add_option("--device-share", options.device_share,
                   "Share of a core that the device gets (needs root); 1: all of it")
      ->capture_default_str();
  command->add_option("--time-budget", flags->time_budget, "For the grid (30min)")
      ->type_name("DURATION");
  command->add_flag("--short", flags->shortened, "Few points and few repeats, about 4 minutes");
  command->add_flag("--resume", options.resume, "Keep the points that the output file has");
  command->add_flag("--relay", options.force_relay, "Shape the link in user space even as root");
  command->add_option("--trace", options.traces, "Mahimahi traces for the link")
      ->type_name("FILE,...")
      ->delimiter(',');
  command->add_option("--trace-seconds", options.trace_s, "How much of each trace is run")
      ->capture_default_str();
  command
      ->add_option("--picture-size", options.picture_bytes,
                   "Of a picture's file, where the report compares with sending it (default: the "
                   "JPEG of a made-up picture of the model's input size)")
      ->type_name("BYTES");
  command->add_option("--seed", options.seed, "Of inputs, load and kills")->capture_default_str();
  command
      ->add_option("--loopback-bench", options.loopback_bench,
                   "The program bench/loopback_bench (default: beside this one's folder)")
      ->type_name("FILE");
  command->add_option("-o,--output", options.output, "Results")
      ->type_name("FILE.json")
      ->capture_default_str();
  command->add_option("--report", options.report, "Page with charts")->type_name("FILE.html");
  command->callback([flags, &action] { action = [flags] { return RunDsc(*flags); }; });
}

struct ElasticFlags {
  experiments::elastic::Options options;
  std::vector<double> rates_mbit;
};

// What the experiments on one calibrated model have in common.
void AddModelFlags(CLI::App& command, experiments::rig::ModelOptions& options) {
  command.add_option("model", options.model, "Calibrated ONNX file")->required();
  command
      .add_option("--data", options.data,
                  "Folder of labelled pictures (CLASS/*.jpg), not trained on")
      ->required()
      ->type_name("DIR");
  command
      .add_option("--device-share", options.device_share,
                  "Share of a core that the device gets (needs root); 1: all of it")
      ->capture_default_str();
  command.add_flag("--relay", options.force_relay, "Shape the link in user space even as root");
  command.add_option("--seed", options.seed, "Of the order of the pictures")->capture_default_str();
  command.add_option("-o,--output", options.output, "Results")
      ->type_name("FILE.json")
      ->capture_default_str();
}

void Equip(experiments::rig::ModelOptions& options) {
  options.program = ThisProgram();
  options.on_progress = [](const std::string& line) { std::cerr << line << std::endl; };
}

absl::Status RunElastic(ElasticFlags& flags) {
  experiments::elastic::Options& options = flags.options;
  Equip(options);
  if (!flags.rates_mbit.empty()) {
    options.rates_bps = flags.rates_mbit;
    for (double& rate : options.rates_bps) rate *= 1e6;
  }
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::elastic::Results results,
                          experiments::elastic::RunExperiment(options, CommandLine()));
  std::cout << experiments::elastic::ToText(results);
  return absl::OkStatus();
}

void AddElasticExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "elastic", "Time, accuracy and bytes of each policy for a calibrated model, over link rates");
  const auto flags = std::make_shared<ElasticFlags>();
  experiments::elastic::Options& options = flags->options;
  AddModelFlags(*command, options);
  command->add_option("--rates", flags->rates_mbit, "Link rates in Mbit/s (0.5,1,2,5,10,50)")
      ->delimiter(',');
  command->add_option("--batch", options.batch, "Pictures of an inference")->capture_default_str();
  command->add_option("--inferences", options.inferences, "Inferences of each policy at each rate")
      ->capture_default_str();
  command
      ->add_option("--encodings", options.encodings,
                   "What the policies with encodings choose among: all, or a list such as q8,q4")
      ->capture_default_str();
  command
      ->add_option("--accuracy-drop", options.accuracy_drop,
                   "The accuracy that encodings and exits may cost, as calibrated, 0 to 1")
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return RunElastic(*flags); }; });
}

absl::Status RunExits(experiments::exits::Options& options) {
  Equip(options);
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::exits::Results results,
                          experiments::exits::RunExperiment(options, CommandLine()));
  std::cout << experiments::exits::ToText(results);
  return absl::OkStatus();
}

void AddExitsExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "exits",
      "Accuracy, time and the share of inputs that leave at each exit, against thresholds of "
      "confidence");
  const auto options = std::make_shared<experiments::exits::Options>();
  AddModelFlags(*command, *options);
  command->add_option("--thresholds", options->thresholds, "As --exit-confidence of run has them")
      ->delimiter(',');
  command->add_option("--pictures", options->pictures, "For each threshold")->capture_default_str();
  command->add_option_function<double>(
      "--rate", [options](double mbit) { options->rate_bps = mbit * 1e6; },
      "Of the link, in Mbit/s (2)");
  command->callback([options, &action] { action = [options] { return RunExits(*options); }; });
}

void AddReport(CLI::App& parent, Action& action) {
  CLI::App* command =
      parent.add_subcommand("report", "Draw the page with charts from an experiment's results");
  const auto paths = std::make_shared<std::pair<std::string, std::string>>();
  command->add_option("results", paths->first, "JSON file of cleave experiment dsc or sacd")
      ->required();
  command->add_option("-o,--output", paths->second, "Page")->type_name("FILE.html")->required();
  command->callback([paths, &action] {
    action = [paths]() -> absl::Status {
      CLEAVE_ASSIGN_OR_RETURN(const std::string json, ReadFile(paths->first));
      if (absl::StrContains(json, experiments::sacd::Results().schema)) {
        return RedrawSacd(json, paths->first, paths->second);
      }
      CLEAVE_ASSIGN_OR_RETURN(experiments::dsc::Results results,
                              experiments::dsc::FromJson(json, paths->first));
      results.goals = experiments::dsc::EvaluateGoals(results);
      std::cout << experiments::rig::GoalsTable(results.goals);
      return experiments::dsc::WriteReport(results, paths->second);
    };
  });
}

// The experiment's own child processes; not for people.
void AddHidden(CLI::App& parent, Action& action) {
  CLI::App* worker = parent.add_subcommand("device-worker", "")->group("");
  worker->callback([&action] {
    action = [] { return experiments::rig::RunDeviceWorker(std::cin, std::cout); };
  });
  CLI::App* bare = parent.add_subcommand("bare-session", "")->group("");
  const auto model = std::make_shared<std::string>();
  bare->add_option("model", *model)->required();
  bare->callback([model, &action] {
    action = [model] { return experiments::dsc::RunBareSession(*model, std::cin, std::cout); };
  });
}

}  // namespace

std::string ThisProgram() {
  std::error_code failed;
  return std::filesystem::read_symlink("/proc/self/exe", failed).string();
}

std::string CommandLine() {
  std::ifstream file("/proc/self/cmdline");
  std::string words((std::istreambuf_iterator<char>(file)), {});
  for (char& each : words) each = each == '\0' ? ' ' : each;
  while (!words.empty() && words.back() == ' ') words.pop_back();
  const std::size_t folder = words.substr(0, words.find(' ')).rfind('/');
  return folder == std::string::npos ? words : words.substr(folder + 1);
}

void AddExperiment(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("experiment", "Measure, on this machine");
  command->require_subcommand(1);
  AddDsc(*command, action);
  AddElasticExperiment(*command, action);
  AddExitsExperiment(*command, action);
  AddSacdExperiment(*command, action);
  AddReport(*command, action);
  AddHidden(*command, action);
}

}  // namespace cleave::cli
