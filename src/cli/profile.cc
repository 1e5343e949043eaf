#include <iostream>
#include <memory>
#include <string>

#include "app/profile_report.h"
#include "app/trial_load.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "core/status_macros.h"

namespace cleave::cli {
namespace {

struct Options {
  app::ProfileTask task;
  std::string provider = "CPU";
  ShapeFlag shape;
  bool json = false;
};

absl::Status Run(const Options& options) {
  app::ProfileTask task = options.task;
  CLEAVE_ASSIGN_OR_RETURN(task.runtime.provider, ProviderSpec::Parse(options.provider));
  CLEAVE_ASSIGN_OR_RETURN(task.inputs, options.shape.Parse());
  CLEAVE_RETURN_IF_ERROR(app::TryLoading({.model = task.model,
                                          .cuts = task.cuts,
                                          .threads = task.runtime.threads,
                                          .provider = options.provider,
                                          .shapes = options.shape.texts}));
  task.on_progress = ProgressBar();
  const absl::StatusOr<app::ProfileOutcome> outcome = app::RunProfileTask(task);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(outcome.status());
  SayGuesses(outcome->inputs);
  if (options.json) {
    std::cout << app::ProfileJson(*outcome) << "\n";
    return absl::OkStatus();
  }
  std::cout << "This machine: " << app::ProfileText(outcome->device) << "Stored in "
            << outcome->device_file << "\n";
  if (outcome->edge) {
    std::cout << "\nThe edge: " << app::ProfileText(*outcome->edge) << "Stored in "
              << outcome->edge_file << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddProfile(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("profile", "Measure how long each segment of a model takes here");
  const auto options = std::make_shared<Options>();
  command->add_option("model", options->task.model, "ONNX file of the model")->required();
  command
      ->add_option("--batches", options->task.batches,
                   "Batch sizes to measure (default: 1,2,4,8,16,32, or the model's fixed one)")
      ->delimiter(',')
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  options->shape.AddTo(*command);
  command
      ->add_option("--cuts", options->task.cuts,
                   "Cuts between which segments are measured: frontier, all or a number")
      ->capture_default_str();
  command
      ->add_option(
          "--exit", options->task.exit,
          "Exit to measure of a model with early exits, counted from 0 (default: the last)")
      ->type_name("K");
  command
      ->add_option("--edge", options->task.edge,
                   "Also ask this edge for its profile (default: none)")
      ->type_name("HOST:PORT");
  command->add_option("--threads", options->task.runtime.threads, "Threads that one run uses")
      ->capture_default_str();
  command
      ->add_option("--provider", options->provider,
                   "ONNX Runtime execution provider that runs the model")
      ->type_name("NAME[:key=value,...]")
      ->capture_default_str();
  command
      ->add_option(
          "-o,--output", options->task.output,
          "File to store the profile in; the edge's is stored beside it as .edge.json (default: "
          "the cache, where cleave run finds it)")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
