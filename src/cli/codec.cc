#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/calibrate.h"
#include "app/calibrate_report.h"
#include "app/codec_fit.h"
#include "app/trial_load.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "core/file.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "core/text_table.h"
#include "core/units.h"

namespace cleave::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  app::CodecFitOptions fit;
  std::string cuts = "frontier";
  std::vector<std::string> tensors;
  std::string labels;
  std::string out;
  ShapeFlag shape;
  bool no_calibration = false;
  bool json = false;
};

std::string Text(const app::CodecFit& fit, const CodecFile& file) {
  TextTable table({{"cut"},
                   {"tensor", TextTable::Align::kLeft},
                   {"t1"},
                   {"t2"},
                   {"t3"},
                   {"t4"},
                   {"t5"},
                   {"t6"}});
  for (const app::FittedTensor& fitted : fit.tensors) {
    std::vector<std::string> line = {absl::StrCat(fitted.cut), Printable(fitted.tensor)};
    const TensorCodec* codec = file.Find(fitted.tensor);
    for (int rate = 0; rate < kCodecRates; ++rate) {
      line.push_back(codec == nullptr
                         ? "-"
                         : absl::StrFormat("%.4f", codec->parameters().rates[rate].mean_bytes));
    }
    table.Add(std::move(line));
  }
  std::string text =
      absl::StrCat(fit.about.samples, " samples, codec ", file.digest().substr(0, 12),
                   "\nMean bytes for each element of a tensor (fp32 takes 4)\n\n", table.Text());
  for (const app::FittedTensor& fitted : fit.tensors) {
    if (fitted.left_out.empty()) continue;
    absl::StrAppend(&text, "'", Printable(fitted.tensor), "' at cut ", fitted.cut,
                    " has no codec: ", Printable(fitted.left_out), "\n");
  }
  return text;
}

Json ToJson(const app::CodecFit& fit, const CodecFile& file, const std::string& path) {
  Json tensors = Json::array();
  for (const app::FittedTensor& fitted : fit.tensors) {
    Json json = {{"cut", fitted.cut}, {"tensor", fitted.tensor}};
    if (const TensorCodec* codec = file.Find(fitted.tensor); codec != nullptr) {
      Json rates = Json::array();
      for (const auto& rate : codec->parameters().rates) rates.push_back(rate.mean_bytes);
      json["bytes_for_each_element"] = std::move(rates);
    } else {
      json["left_out"] = fitted.left_out;
    }
    tensors.push_back(std::move(json));
  }
  return {{"codec", path},
          {"digest", file.digest()},
          {"model_digest", fit.about.model_digest},
          {"data_digest", fit.about.data_digest},
          {"samples", fit.about.samples},
          {"tensors", std::move(tensors)}};
}

// Measures what the rates cost, with all other encodings, on the pictures that nothing was fitted
// to.
absl::StatusOr<app::Calibration> Measure(const Options& options, const app::CodecFitOptions& fit,
                                         std::shared_ptr<const CodecFile> file) {
  app::CalibrateOptions calibrate;
  calibrate.model = fit.model;
  calibrate.data.data = fit.data;
  calibrate.data.labels = options.labels;
  calibrate.data.seed = fit.seed;
  calibrate.data.part = app::SamplePart::kMeasuring;
  calibrate.cuts = fit.cuts;
  calibrate.inputs = fit.inputs;
  calibrate.runtime = fit.runtime;
  calibrate.codecs = std::move(file);
  calibrate.on_progress = fit.on_progress;
  return app::Calibrate(calibrate);
}

absl::Status Run(const Options& options) {
  app::CodecFitOptions fit = options.fit;
  CLEAVE_ASSIGN_OR_RETURN(fit.cuts, CandidateSpec::Parse(options.cuts));
  fit.tensors = {options.tensors.begin(), options.tensors.end()};
  CLEAVE_ASSIGN_OR_RETURN(fit.inputs, options.shape.Parse());
  CLEAVE_RETURN_IF_ERROR(app::TryLoading({.model = fit.model,
                                          .cuts = options.cuts,
                                          .threads = fit.runtime.threads,
                                          .shapes = options.shape.texts}));
  fit.on_progress = ProgressBar();
  const absl::StatusOr<app::CodecFit> fitted = app::FitCodecs(fit);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(fitted.status());
  const std::string bytes = CodecFile::Write(fitted->about, fitted->codecs);
  const std::string path = options.out.empty() ? CodecFile::PathFor(fit.model) : options.out;
  CLEAVE_ASSIGN_OR_RETURN(const auto file, CodecFile::Read(bytes, path));
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(path, bytes));
  Json json = ToJson(*fitted, *file, path);
  if (!options.json) std::cout << Text(*fitted, *file) << "\nWritten to " << path << "\n";
  if (fitted->pictures && !options.no_calibration) {
    fit.on_progress = ProgressBar();
    const absl::StatusOr<app::Calibration> calibration = Measure(options, fit, file);
    EndProgressBar();
    CLEAVE_RETURN_IF_ERROR(calibration.status());
    CLEAVE_ASSIGN_OR_RETURN(const std::string sidecar, calibration->table.Save(fit.model));
    json["calibration"] = Json::parse(app::CalibrationJson(*calibration));
    if (!options.json) {
      std::cout << "\n" << app::CalibrationText(*calibration) << "\nStored in " << sidecar << "\n";
    }
  }
  if (options.json) std::cout << json.dump() << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddCodec(CLI::App& app, Action& action) {
  CLI::App* group = app.add_subcommand("codec", "Fit codecs to the tensors of a model's cuts");
  group->require_subcommand(1);
  CLI::App* command = group->add_subcommand(
      "fit", "Fit a codec to the tensors of each cut, and measure what its rates t1 to t6 cost");
  const auto options = std::make_shared<Options>();
  app::CodecFitOptions& fit = options->fit;
  command->add_option("model", fit.model, "ONNX file of the model")->required();
  options->shape.AddTo(*command);
  command
      ->add_option("--data", fit.data,
                   "Folder of pictures, of which a quarter is left to measure on; or one of .npy "
                   "files. No labels are needed")
      ->type_name("DIR")
      ->required();
  command
      ->add_option("--labels", options->labels,
                   "Labels to measure with, as `cleave calibrate` takes them (default: agreement "
                   "with the model in full precision)")
      ->type_name("folders|FILE|DIR");
  command->add_option("--samples", fit.samples, "Number of samples to fit to")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{100'000}))
      ->capture_default_str();
  command->add_option("--seed", fit.seed, "Seed with which samples and probes are drawn")
      ->capture_default_str();
  command->add_option("--cuts", options->cuts, "Cuts to fit codecs to: frontier, all or a number")
      ->capture_default_str();
  command
      ->add_option("--tensor", options->tensors,
                   "Tensor to fit a codec to in place of those of the cuts, alone at a cut; may be "
                   "given more than once")
      ->type_name("NAME")
      ->take_all();
  command
      ->add_option("--probes", fit.probed_samples_per_band,
                   "Samples whose outputs' response is probed, for each band of a block of 4 x 4")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--threads", fit.runtime.threads, "Threads that one run uses")
      ->capture_default_str();
  command
      ->add_option("-o,--out", options->out,
                   "File to write (default: the model's path with .codec in place of .onnx, where "
                   "device and edge look for it)")
      ->type_name("FILE");
  command->add_flag("--no-calibration", options->no_calibration,
                    "Do not measure what the rates cost");
  command->add_flag("--json", options->json, "Print the result as JSON");
  command->callback([options, &action] { action = [options] { return Run(*options); }; });
}

}  // namespace cleave::cli
