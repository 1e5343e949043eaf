#include "app/calibrate.h"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "app/calibrate_report.h"
#include "app/trial_load.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave::cli {
namespace {

struct Options {
  app::CalibrateOptions calibrate;
  std::vector<std::string> encodings;
  std::string cuts = "frontier";
  std::string plot;
  ShapeFlag shape;
  bool json = false;
};

absl::Status Run(const Options& options) {
  app::CalibrateOptions calibrate = options.calibrate;
  CLEAVE_ASSIGN_OR_RETURN(calibrate.cuts, CandidateSpec::Parse(options.cuts));
  CLEAVE_ASSIGN_OR_RETURN(calibrate.inputs, options.shape.Parse());
  if (!options.encodings.empty()) calibrate.encodings.clear();
  for (const std::string& name : options.encodings) {
    CLEAVE_ASSIGN_OR_RETURN(const Encoding encoding, ParseEncoding(name));
    calibrate.encodings.push_back(encoding);
  }
  CLEAVE_RETURN_IF_ERROR(app::TryLoading({.model = calibrate.model,
                                          .cuts = options.cuts,
                                          .threads = calibrate.runtime.threads,
                                          .shapes = options.shape.texts}));
  calibrate.on_progress = ProgressBar();
  const absl::StatusOr<app::Calibration> calibration = app::Calibrate(calibrate);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(calibration.status());
  CLEAVE_ASSIGN_OR_RETURN(const std::string path, calibration->table.Save(calibrate.model));
  if (!options.plot.empty()) {
    CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.plot, app::CalibrationSvg(*calibration)));
  }
  if (options.json) {
    std::cout << app::CalibrationJson(*calibration);
  } else {
    std::cout << app::CalibrationText(*calibration) << "\nStored in " << path << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddCalibrate(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "calibrate", "Measure how accurate a model is at every exit, cut and encoding");
  const auto options = std::make_shared<Options>();
  app::CalibrateOptions& calibrate = options->calibrate;
  command->add_option("model", calibrate.model, "ONNX file of the model")->required();
  options->shape.AddTo(*command);
  command
      ->add_option(
          "--data", calibrate.data.data,
          "Folder of pictures to measure on: CLASS/picture, train/ and test/ with such folders, "
          "CIFAR-10's binary files, or pictures without classes")
      ->type_name("DIR")
      ->required();
  command
      ->add_option(
          "--labels", calibrate.data.labels,
          "Where the labels come from: folders, or a file of lines \"picture class-index\"; for a "
          "detector a file in COCO's JSON format or a folder of YOLO's text files (default: the "
          "folders; without labels, agreement with the last exit in full precision counts)")
      ->type_name("folders|FILE|DIR");
  command->add_option("--samples", calibrate.data.samples, "Number of pictures to measure on")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1'000'000}))
      ->capture_default_str();
  command->add_option("--seed", calibrate.data.seed, "Seed with which the pictures are drawn")
      ->capture_default_str();
  command
      ->add_option("--encodings", options->encodings,
                   "Encodings to measure besides fp32, separated by commas (default: all)")
      ->delimiter(',');
  command
      ->add_option("--cuts", options->cuts,
                   "Cuts of each exit to measure: frontier, all or a number")
      ->capture_default_str();
  command->add_option("--batch", calibrate.batch, "Pictures that run at once")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--threads", calibrate.runtime.threads, "Threads that one run uses")
      ->capture_default_str();
  command
      ->add_option("--plot", options->plot,
                   "Write a plot of accuracy against bytes to this SVG file (default: none)")
      ->type_name("FILE");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
