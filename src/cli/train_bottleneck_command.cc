#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/output_metric.h"
#include "app/samples.h"
#include "app/svg_plot.h"
#include "cli/commands.h"
#include "cli/progress.h"
#include "cli/shape_flag.h"
#include "cli/stop_signals.h"
#include "codec/sidecar.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "learn/train_bottleneck.h"
#include "model/graph.h"
#include "runtime/chain.h"

namespace cleave::cli {
namespace {

struct BottleneckFlags {
  std::string data;
  ShapeFlag shape;
  BottleneckOptions options;
};

absl::Status FindPictures(BottleneckFlags& flags) {
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::string> pictures, app::FindPictures(flags.data));
  for (const std::string& path : pictures) {
    const bool fitting = app::BelongsTo(app::SamplePart::kFitting, path);
    (fitting ? flags.options.training : flags.options.measuring).push_back(path);
  }
  return absl::OkStatus();
}

// The distortion that `cleave codec fit` uses.
absl::StatusOr<MeasureDistortion> MetricOf(const BottleneckOptions& options) {
  CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options.model));
  CLEAVE_ASSIGN_OR_RETURN(const CutTable table, BuildCutTable(*graph, options.inputs));
  CLEAVE_ASSIGN_OR_RETURN(
      const app::OutputMetric metric,
      app::OutputMetric::Of(options.model, table.inputs.specs, table.cuts.back().tensors));
  return MeasureDistortion([metric](const auto& reference, const auto& changed) {
    return metric.DistortionOf(reference, changed);
  });
}

// Shows a bar on a terminal, and a line for each record wherever standard error goes.
std::function<void(const BottleneckProgress&)> Reporter() {
  return [bar = ProgressBar()](const BottleneckProgress& now) {
    if (!now.record) {
      bar(now.what, now.share);
      return;
    }
    EndProgressBar();
    std::cerr << absl::StrFormat("step %d: loss %.4f, bytes / the codec's %.3f (", now.record->step,
                                 now.record->loss, now.record->ratio);
    for (const RatePoint& point : now.record->points) {
      std::cerr << absl::StrFormat("%s%.0f: %.3g", &point == now.record->points.data() ? "" : ", ",
                                   point.bytes, point.distortion);
    }
    std::cerr << ")\n" << std::flush;
  };
}

std::string CurveOf(const BottleneckOutcome& outcome) {
  app::SvgPlot plot;
  plot.title = absl::StrCat("A bottleneck at ", outcome.tensor);
  plot.x_label = "steps";
  plot.y_label = "share of the codec alone";
  plot.reference_y = 1;
  plot.left = {{"loss", {}, "#1f77b4"}, {"bytes for the same distortion", {}, "#d62728"}};
  for (const BottleneckRecord& record : outcome.records) {
    const auto step = static_cast<double>(record.step);
    plot.left[0].points.push_back({step, record.loss});
    plot.left[1].points.push_back({step, record.ratio});
  }
  return app::RenderSvg(plot);
}

// The combined model takes the same pictures and gives the same kind of answers.
absl::Status CopySidecar(const BottleneckOptions& options) {
  if (options.combined.empty()) return absl::OkStatus();
  const absl::StatusOr<Sidecar> sidecar = ReadSidecar(options.model);
  if (absl::IsNotFound(sidecar.status())) return absl::OkStatus();
  CLEAVE_RETURN_IF_ERROR(sidecar.status());
  return WriteFileAtomically(NewSidecarPath(options.combined), sidecar->text);
}

absl::Status Run(BottleneckFlags flags) {
  BottleneckOptions& options = flags.options;
  // Threads that ONNX Runtime starts from here on leave the signals to this.
  StopSignals signals(options.cancel);
  CLEAVE_RETURN_IF_ERROR(FindPictures(flags));
  CLEAVE_ASSIGN_OR_RETURN(options.inputs, flags.shape.Parse());
  CLEAVE_ASSIGN_OR_RETURN(options.measure, MetricOf(options));
  if (options.out.empty()) {
    options.out = std::filesystem::path(options.model).replace_extension("").string();
  }
  signals.Ready();
  options.on_progress = Reporter();
  const absl::StatusOr<BottleneckOutcome> outcome = TrainBottleneck(options);
  EndProgressBar();
  CLEAVE_RETURN_IF_ERROR(outcome.status());
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.curve_path(), CurveOf(*outcome)));
  CLEAVE_RETURN_IF_ERROR(CopySidecar(options));
  std::cout << absl::StrFormat(
      "%d of %d steps\nencoder: %s (%.1f%% of the model's work)\n", outcome->steps, options.steps,
      options.encoder_path(),
      100 * static_cast<double>(outcome->encoder_macs) / static_cast<double>(outcome->model_macs));
  std::cout << "decoder: " << options.decoder_path() << "\n";
  if (!options.combined.empty()) std::cout << "both in the model: " << options.combined << "\n";
  std::cout << "card: " << options.card_path() << "\ncurve: " << options.curve_path() << "\n";
  if (outcome->steps < options.steps) std::cout << "--resume goes on from here\n";
  return absl::OkStatus();
}

}  // namespace

void AddTrainBottleneckCommand(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "bottleneck",
      "Train an encoder and a decoder around the codec of a cut's tensor, by the model's own "
      "answers");
  const auto flags = std::make_shared<BottleneckFlags>();
  BottleneckOptions& options = flags->options;
  command
      ->add_option("model", options.model,
                   "ONNX file; its codec lies beside it (cleave codec fit makes it)")
      ->required();
  flags->shape.AddTo(*command);
  command
      ->add_option("--at", options.cut,
                   "Cut that gets the bottleneck, as cleave inspect --cuts all numbers it: one "
                   "tensor with a height and a width")
      ->type_name("CUT")
      ->required();
  command
      ->add_option("--data", flags->data,
                   "Folder of pictures, of which a quarter is left to measure on. No labels are "
                   "needed")
      ->type_name("DIR")
      ->required();
  command->add_option("--steps", options.steps, "Steps of training")->capture_default_str();
  command->add_option("--batch", options.batch, "Pictures of one step")->capture_default_str();
  command->add_option("--rate", options.rate, "Learning rate of Adam, which falls to a tenth")
      ->capture_default_str();
  command
      ->add_option("--record-every", options.record_every,
                   "Steps between records, each with a checkpoint")
      ->capture_default_str();
  command->add_option("--minutes", options.minutes,
                      "Time limit of training, after which the files are written as they are then");
  command->add_option("--seed", options.seed, "Seed of the weights, the pictures and the rates")
      ->capture_default_str();
  command
      ->add_option("--threads", options.threads,
                   "Threads that training uses; 0 takes one for each core")
      ->capture_default_str();
  command->add_flag("--resume", options.resume,
                    "Continue from the checkpoint, which is written with every record");
  command
      ->add_option("--combined", options.combined,
                   "File to write the model with the bottleneck inside to, and its sidecar "
                   "beside it, on which cleave codec fit and cleave experiment compression run")
      ->type_name("FILE.onnx");
  command
      ->add_option("-o,--out", options.out,
                   "Path that OUT.encoder.onnx, OUT.decoder.onnx, OUT.md (card), OUT.svg (curve) "
                   "and OUT.checkpoint begin with (default: the model's without its ending)")
      ->type_name("OUT");
  command->callback([flags, &action] { action = [flags] { return Run(*flags); }; });
}

}  // namespace cleave::cli
