#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "app/filter_fit.h"
#include "app/filter_report.h"
#include "app/trial_load.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave::cli {
namespace {

struct Options {
  app::FilterFitRequest fit;
  std::string lost = "1%";
  std::string out;
  ShapeFlag shape;
  bool json = false;
};

absl::Status Run(const Options& options) {
  app::FilterFitRequest fit = options.fit;
  CLEAVE_ASSIGN_OR_RETURN(fit.inputs, options.shape.Parse());
  CLEAVE_ASSIGN_OR_RETURN(fit.most_lost, ParseShare(options.lost));
  CLEAVE_RETURN_IF_ERROR(app::TryLoading(
      {.model = fit.model, .threads = fit.runtime.threads, .shapes = options.shape.texts}));
  fit.on_progress = ProgressBar();
  const absl::StatusOr<app::FilterFitOutcome> outcome = app::FitFilterOf(fit);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(outcome.status());
  const std::string bytes = FilterFile::Write(outcome->about, outcome->parameters);
  const std::string path = options.out.empty() ? FilterFile::PathFor(fit.model) : options.out;
  CLEAVE_RETURN_IF_ERROR(FilterFile::Read(bytes, path).status());
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  if (options.json) {
    std::cout << app::FilterFitJson(*outcome) << "\n";
  } else {
    std::cout << app::FilterFitText(*outcome) << "\nWritten to " << path << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddFilter(CLI::App& app, Action& action) {
  CLI::App* group =
      app.add_subcommand("filter", "Fit filters, which end inferences on pictures without objects");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand(
      "fit", "Fit a filter to a detector's own detections in pictures and in crops of them");
  const auto options = std::make_shared<Options>();
  app::FilterFitRequest& fit = options->fit;
  command->add_option("model", fit.model, "ONNX file of the model, a detector")->required();
  options->shape.AddTo(*command);
  command->add_option("--data", fit.data.data, "Folder of pictures; no labels are needed")
      ->type_name("DIR")
      ->required();
  command->add_option("--samples", fit.data.samples, "Number of pictures")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}))
      ->capture_default_str();
  command->add_option("--crops", fit.data.crops, "Random crops of each picture, besides the whole")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{1000}))
      ->capture_default_str();
  command
      ->add_option("--alike", fit.alike,
                   "So many neighbours by name are alike, as frames of a video are, and are never "
                   "on both sides of fitting and measuring")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option("--cut", fit.cut,
                   "Cut at which the filter looks, as `cleave inspect --cuts all` numbers them "
                   "(default: the one that spares most work)")
      ->type_name("K");
  command
      ->add_option("--lost", options->lost,
                   "Largest share of the pictures with a detection that may be held back")
      ->type_name("SHARE")
      ->capture_default_str();
  command->add_option("--seed", fit.data.seed, "Seed of crops, folds and weights")
      ->capture_default_str();
  command->add_option("--threads", fit.runtime.threads, "Threads that one run uses")
      ->capture_default_str();
  command
      ->add_option("-o,--out", options->out,
                   "File to write (default: the model's path with .filter in place of .onnx, where "
                   "`cleave run --filter` looks for it)")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
