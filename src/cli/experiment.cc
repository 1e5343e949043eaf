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
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "cli/stop_signals.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "core/units.h"
#include "experiments/compression/experiment.h"
#include "experiments/dsc/experiment.h"
#include "experiments/dsc/goals.h"
#include "experiments/dsc/micro.h"
#include "experiments/dsc/report.h"
#include "experiments/elastic/experiment.h"
#include "experiments/exits/experiment.h"
#include "experiments/filter/experiment.h"
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
  if (!flags.rates.empty()) options.rates_bps = RatesOf(flags.rates);
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
      "Compare dynamic split computing with every fixed cut, over link rates, batch sizes and "
      "edge loads, and check its goals");
  const auto flags = std::make_shared<DscFlags>();
  experiments::dsc::Options& options = flags->options;
  command
      ->add_option("--models", options.models,
                   "ONNX files, or folders whose *.onnx files are all taken")
      ->delimiter(',')
      ->required();
  command
      ->add_option("--rates", flags->rates,
                   "Link rates in Mbit/s (default: 1,2,5,10,20,50,100,300)")
      ->delimiter(',');
  command->add_option("--batches", flags->batches, "Batch sizes (default: 1,4,16)")->delimiter(',');
  command->add_option("--loads", flags->loads, "Loads of the edge: idle, busy (default: both)")
      ->delimiter(',');
  command
      ->add_option("--parts", flags->parts,
                   "Parts of the experiment to run (default: micro,grid,step,trace,kills)")
      ->delimiter(',');
  command
      ->add_option("--device-share", options.device_share,
                   "Share of a core that the device gets, which needs root below 1")
      ->capture_default_str();
  command
      ->add_option("--time-budget", flags->time_budget,
                   "Longest time that the grid may take (default: 30min)")
      ->type_name("DURATION");
  command->add_flag("--short", flags->shortened,
                    "Measure few points with few repeats, in about 4 minutes");
  command->add_flag("--resume", options.resume, "Keep the points that the output file already has");
  command->add_flag("--relay", options.force_relay,
                    "Shape the link in user space even if run as root");
  command
      ->add_option("--trace", options.traces,
                   "Mahimahi traces of the link's rate (default: a generated one)")
      ->type_name("FILE,...")
      ->delimiter(',');
  command->add_option("--trace-seconds", options.trace_s, "Seconds of each trace that are run")
      ->capture_default_str();
  command
      ->add_option(
          "--picture-size", options.picture_bytes,
          "Bytes of the picture file with whose sending the report compares (default: those of "
          "the JPEG of a generated picture of the model's input size)")
      ->type_name("BYTES");
  command->add_option("--seed", options.seed, "Seed of the inputs, the load and the kills")
      ->capture_default_str();
  command
      ->add_option(
          "--loopback-bench", options.loopback_bench,
          "Path of the program bench/loopback_bench (default: beside this program's folder)")
      ->type_name("FILE");
  command->add_option("-o,--output", options.output, "JSON file to write the results to")
      ->type_name("FILE.json")
      ->capture_default_str();
  command
      ->add_option("--report", options.report,
                   "HTML file to write a page with charts to (default: none)")
      ->type_name("FILE.html");
  command->callback([flags, &action] { action = [flags] { return RunDsc(*flags); }; });
}

struct ElasticFlags {
  experiments::elastic::Options options;
  std::vector<double> rates_mbit;
};

// The flags that the experiments on one calibrated model share.
void AddModelFlags(CLI::App& command, experiments::rig::ModelOptions& options) {
  command.add_option("model", options.model, "ONNX file of a calibrated model")->required();
  command
      .add_option("--data", options.data,
                  "Folder of labelled pictures (CLASS/*.jpg) that the model was not trained on")
      ->required()
      ->type_name("DIR");
  command
      .add_option("--device-share", options.device_share,
                  "Share of a core that the device gets, which needs root below 1")
      ->capture_default_str();
  AddRigFlags(command, options);
}

absl::Status RunElastic(ElasticFlags& flags) {
  experiments::elastic::Options& options = flags.options;
  Equip(options);
  if (!flags.rates_mbit.empty()) options.rates_bps = RatesOf(flags.rates_mbit);
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const experiments::elastic::Results results,
                          experiments::elastic::RunExperiment(options, CommandLine()));
  std::cout << experiments::elastic::ToText(results);
  return absl::OkStatus();
}

void AddElasticExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "elastic",
      "Measure time, accuracy and bytes of each policy for a calibrated model, over link rates");
  const auto flags = std::make_shared<ElasticFlags>();
  experiments::elastic::Options& options = flags->options;
  AddModelFlags(*command, options);
  command
      ->add_option("--rates", flags->rates_mbit, "Link rates in Mbit/s (default: 0.5,1,2,5,10,50)")
      ->delimiter(',');
  command->add_option("--batch", options.batch, "Pictures of one inference")->capture_default_str();
  command->add_option("--inferences", options.inferences, "Inferences of each policy at each rate")
      ->capture_default_str();
  command
      ->add_option(
          "--encodings", options.encodings,
          "Encodings to choose among, for policies that have a choice: all, or a list such as "
          "q8,q4")
      ->capture_default_str();
  command
      ->add_option(
          "--accuracy-drop", options.accuracy_drop,
          "Largest drop of the calibrated accuracy that encodings and exits may cost, as a share")
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
      "Measure accuracy, time and the share of inputs that end at each exit, over thresholds of "
      "confidence");
  const auto options = std::make_shared<experiments::exits::Options>();
  AddModelFlags(*command, *options);
  command
      ->add_option(
          "--thresholds", options->thresholds,
          "Thresholds of confidence, as for --exit-confidence of cleave run (default: none, "
          "entropy:0.01 to entropy:1, 0.5, 0.8, 0.95)")
      ->delimiter(',');
  command->add_option("--pictures", options->pictures, "Pictures for each threshold")
      ->capture_default_str();
  command->add_option_function<double>(
      "--rate", [options](double mbit) { options->rate_bps = mbit * 1e6; },
      "Rate of the link, in Mbit/s (default: 2)");
  command->callback([options, &action] { action = [options] { return RunExits(*options); }; });
}

struct CompressionFlags {
  experiments::compression::Options options;
  ShapeFlag shape;
};

absl::Status RunCompression(CompressionFlags& flags) {
  CLEAVE_ASSIGN_OR_RETURN(flags.options.inputs, flags.shape.Parse());
  flags.options.on_progress = ProgressBar();
  const auto results = experiments::compression::RunExperiment(flags.options, CommandLine());
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(results.status());
  std::cout << experiments::compression::ToText(*results) << "\nresults: " << flags.options.output
            << "\n";
  if (!flags.options.report.empty()) std::cout << "report: " << flags.options.report << "\n";
  return absl::OkStatus();
}

void AddCompression(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand("compression",
                                            "Compare the bytes of fitted codecs with those of "
                                            "JPEG, WebP and AVIF, at the same distortion "
                                            "of the outputs and agreement of the answers");
  const auto flags = std::make_shared<CompressionFlags>();
  experiments::compression::Options& options = flags->options;
  command->add_option("model", options.model, "ONNX file; its codec lies beside it")->required();
  flags->shape.AddTo(*command);
  command
      ->add_option("--reference", options.reference,
                   "Model whose answers are the right ones and which pictures are sent to, such as "
                   "the one without the bottleneck (default: the model itself)")
      ->type_name("FILE.onnx");
  command->add_option("--data", options.data.data, "Folder of pictures that nothing was fitted to")
      ->type_name("DIR")
      ->required();
  command
      ->add_option("--labels", options.data.labels,
                   "Labels, as `cleave calibrate` takes them (default: agreement with the model in "
                   "full precision)")
      ->type_name("folders|FILE|DIR");
  command->add_option("--samples", options.data.samples, "Number of pictures")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}))
      ->capture_default_str();
  command->add_option("--seed", options.data.seed, "Seed with which the pictures are drawn")
      ->capture_default_str();
  command->add_option("-o,--output", options.output, "JSON file to write")
      ->type_name("FILE.json")
      ->capture_default_str();
  command->add_option("--report", options.report, "HTML page to write (default: none)")
      ->type_name("FILE.html");
  command->callback([flags, &action] { action = [flags] { return RunCompression(*flags); }; });
}

struct FilterFlags {
  experiments::filter::Options options;
  ShapeFlag shape;
};

absl::Status RunFilter(FilterFlags& flags) {
  CLEAVE_ASSIGN_OR_RETURN(flags.options.inputs, flags.shape.Parse());
  flags.options.on_progress = ProgressBar();
  const auto results = experiments::filter::RunExperiment(flags.options, CommandLine());
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(results.status());
  std::cout << experiments::filter::ToText(*results) << "\nresults: " << flags.options.output
            << "\n";
  return absl::OkStatus();
}

void AddFilterExperiment(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "filter",
      "Measure how many pictures without a detection a filter holds back, and how many with one");
  const auto flags = std::make_shared<FilterFlags>();
  experiments::filter::Options& options = flags->options;
  command->add_option("model", options.model, "ONNX file of a detector")->required();
  flags->shape.AddTo(*command);
  command->add_option("--data", options.data.data, "Folder of pictures that nothing was fitted to")
      ->type_name("DIR")
      ->required();
  command->add_option("--filter", options.filter, "File of the filter (default: beside the model)")
      ->type_name("FILE");
  command->add_option("--samples", options.data.samples, "Number of pictures")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}))
      ->capture_default_str();
  command->add_option("--crops", options.data.crops, "Random crops of each picture")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1000}))
      ->capture_default_str();
  command->add_option("--seed", options.data.seed, "Seed of pictures and crops")
      ->capture_default_str();
  command->add_option("-o,--output", options.output, "JSON file to write")
      ->type_name("FILE.json")
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return RunFilter(*flags); }; });
}

void AddReport(CLI::App& parent, Action& action) {
  CLI::App* command = parent.add_subcommand(
      "report", "Write the page with charts again from an experiment's results");
  const auto paths = std::make_shared<std::pair<std::string, std::string>>();
  command->add_option("results", paths->first, "JSON file that cleave experiment dsc or sacd wrote")
      ->required();
  command->add_option("-o,--output", paths->second, "HTML file to write the page to")
      ->type_name("FILE.html")
      ->required();
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

// These start the experiment's child processes and are not meant for users.
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

void AddRigFlags(CLI::App& command, experiments::rig::ModelOptions& options) {
  command.add_flag("--relay", options.force_relay,
                   "Shape the link in user space even if run as root");
  command.add_option("--seed", options.seed, "Seed of the order of the pictures")
      ->capture_default_str();
  command.add_option("-o,--output", options.output, "JSON file to write the results to")
      ->type_name("FILE.json")
      ->capture_default_str();
}

void AddGridFlags(CLI::App& command, experiments::rig::GridOptions& options,
                  std::vector<double>& rates_mbit) {
  std::vector<double> mbit = options.rates_bps;
  for (double& rate : mbit) rate /= 1e6;
  command
      .add_option("model", options.model, "ONNX file of a calibrated model with codecs beside it")
      ->required();
  command.add_option("--data", options.data, "Folder of pictures that nothing was fitted to")
      ->required()
      ->type_name("DIR");
  command
      .add_option("--rates", rates_mbit,
                  absl::StrCat("Link rates in Mbit/s (default: ", absl::StrJoin(mbit, ","), ")"))
      ->delimiter(',');
  command
      .add_option("--device-shares", options.device_shares,
                  absl::StrCat("Shares of a core that the device gets, which need root below 1 "
                               "(default: ",
                               absl::StrJoin(options.device_shares, ","), ")"))
      ->delimiter(',');
  command
      .add_option("--min-accuracy", options.min_accuracy,
                  "Least calibrated accuracy or agreement of the plans, as a share")
      ->capture_default_str();
  AddRigFlags(command, options);
}

absl::Status RunGrid(experiments::rig::GridOptions& options, const std::vector<double>& rates_mbit,
                     const std::function<absl::StatusOr<std::string>()>& run) {
  Equip(options);
  if (!rates_mbit.empty()) options.rates_bps = RatesOf(rates_mbit);
  StopSignals signals(options.cancel);
  signals.Ready();
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, run());
  std::cout << text << "\nresults: " << options.output << "\n";
  return absl::OkStatus();
}

void Equip(experiments::rig::ModelOptions& options) {
  options.program = ThisProgram();
  options.on_progress = [](const std::string& line) { std::cerr << line << std::endl; };
}

std::vector<double> RatesOf(const std::vector<double>& mbit) {
  std::vector<double> rates_bps = mbit;
  for (double& rate : rates_bps) rate *= 1e6;
  return rates_bps;
}

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
  CLI::App* command = app.add_subcommand("experiment", "Run an experiment on this machine");
  command->require_subcommand(1);
  AddDsc(*command, action);
  AddElasticExperiment(*command, action);
  AddExitsExperiment(*command, action);
  AddCompression(*command, action);
  AddLatencyExperiment(*command, action);
  AddStreamExperiment(*command, action);
  AddFilterExperiment(*command, action);
  AddSacdExperiment(*command, action);
  AddReport(*command, action);
  AddHidden(*command, action);
}

}  // namespace cleave::cli
