#include "app/verify.h"

#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "app/trial_load.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "core/status_macros.h"

namespace cleave::cli {
namespace {

struct Options {
  std::string model;
  std::string cuts = "frontier";
  std::optional<std::int64_t> batch;
  ShapeFlag shape;
  app::VerifyOptions verify;
  bool json = false;
};

absl::Status RunExit(const std::shared_ptr<const Graph>& graph, const Options& options) {
  app::VerifyOptions verify = options.verify;
  CLEAVE_ASSIGN_OR_RETURN(verify.inputs, options.shape.Parse());
  verify.inputs.batch = options.batch;
  CLEAVE_ASSIGN_OR_RETURN(verify.cuts, CandidateSpec::Parse(options.cuts));
  verify.on_progress = [bar = ProgressBar()](double share) { bar("verifying", share); };
  const absl::StatusOr<app::VerifyReport> report = app::Verify(graph, verify);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(report.status());
  SayGuesses(report->inputs);
  std::cout << (options.json ? report->ToJson() + "\n" : report->ToText());
  if (report->within_tolerance()) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrFormat("%s: found an error of %.3g of the largest output, expected at most %.3g",
                      options.model, report->worst_relative_error, report->tolerance));
}

// With early exits: each of them by itself, one after the other (JSON: one object a line).
absl::Status Run(const Options& options) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::Load(options.model));
  CLEAVE_RETURN_IF_ERROR(app::TryLoading({.model = options.model,
                                          .cuts = options.cuts,
                                          .threads = options.verify.runtime.threads,
                                          .shapes = options.shape.texts}));
  absl::Status worst;
  for (int exit = 0; exit < graph->exit_count(); ++exit) {
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> part, graph->ForExit(exit));
    if (!graph->exits().empty() && !options.json) {
      std::cout << "exit " << exit << ", " << part->outputs().front().name << "\n";
    }
    worst.Update(RunExit(part, options));
  }
  return worst;
}

}  // namespace

void AddVerify(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("verify", "Check that head and tail together equal the whole model");
  const auto options = std::make_shared<Options>();
  command->add_option("model", options->model, "ONNX file of the model")->required();
  command
      ->add_option("--batch", options->batch,
                   "Samples of one inference (default: the model's own, or 1)")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
  options->shape.AddTo(*command);
  command->add_option("--cuts", options->cuts, "Cuts to try: frontier, all or a number")
      ->capture_default_str();
  command->add_option("--threads", options->verify.runtime.threads, "Threads that one run uses")
      ->capture_default_str();
  command
      ->add_option(
          "--tolerance", options->verify.tolerance,
          "Largest error, as a share of the largest absolute output or of 0.1, and 100 times "
          "that with half precision; more is exit code 1")
      ->capture_default_str();
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
