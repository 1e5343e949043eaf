#ifndef CLEAVE_LEARN_TRAIN_BOTTLENECK_H_
#define CLEAVE_LEARN_TRAIN_BOTTLENECK_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/tensor.h"
#include "core/distortion.h"
#include "model/input_shapes.h"

namespace cleave {

// What the outputs of pictures that are not trained on make of a tensor that was sent at one rate.
struct RatePoint {
  double rate = 0;  // 0 is t1, 5 is t6.
  double distortion = 0;
  double bytes = 0;  // By the ideal code length.
};

// What the bottleneck is after some steps.
struct BottleneckRecord {
  std::int64_t step = 0;
  double loss = 0;  // Mean since the last record; 1 is about what the codec alone has.
  std::vector<RatePoint> points;
  // The bytes for the same distortion, as a share of those of the codec alone: the geometric mean
  // over the points.
  double ratio = 1;
};

struct BottleneckProgress {
  std::string what;
  double share = 0;                        // Of `what`.
  std::optional<BottleneckRecord> record;  // A new one.
};

// Returns how far the changed outputs are from the reference, and the gradient. Thread-safe.
using MeasureDistortion = std::function<absl::StatusOr<Distortion>(
    const std::vector<NamedTensor>& reference, const std::vector<NamedTensor>& changed)>;

// How to train a bottleneck: a small encoder before the codec of a cut's tensor, and a decoder
// behind it (docs/bottleneck.md). The same options and pictures give the same weights, bit for bit,
// on the same kind of processor, whatever the number of threads, where no time limit ends training.
struct BottleneckOptions {
  std::string model;
  int cut = 0;  // As `cleave inspect --cuts all` numbers it; one FP32 tensor of N x C x H x W.
  ShapeRequest inputs;
  // Files of pictures: those that are trained on, and those that records are measured on.
  std::vector<std::string> training;
  std::vector<std::string> measuring;
  MeasureDistortion measure;
  std::string out;       // What the names of all files that are written begin with.
  std::string combined;  // Where the model with the bottleneck inside goes; empty: nowhere.
  std::int64_t steps = 4000;
  int batch = 4;  // Pictures of a step.
  double rate = 1e-3;
  std::int64_t record_every = 200;  // Steps.
  std::uint64_t seed = 1;
  bool resume = false;  // Go on from checkpoint_path(); from the start where there is none.
  std::optional<double> minutes;  // Training ends after so long, and --resume goes on.
  int threads = 0;                // 0: one for each core.
  std::function<void(const BottleneckProgress&)> on_progress;  // Called on the caller's thread.
  CancelToken cancel;

  // InvalidArgument names the field.
  absl::Status Validate() const;
  std::string encoder_path() const;  // OUT.encoder.onnx.
  std::string decoder_path() const;
  std::string checkpoint_path() const;
  std::string card_path() const;
  std::string curve_path() const;  // A plot, which the caller writes.
};

struct BottleneckOutcome {
  std::string tensor;  // The cut's.
  Shape shape;
  std::string model_digest;
  std::string codec_digest;
  std::int64_t steps = 0;              // That were made, in all calls together.
  std::vector<RatePoint> codec_alone;  // The six rates.
  std::vector<BottleneckRecord> records;
  std::int64_t encoder_macs = 0;
  std::int64_t decoder_macs = 0;
  std::int64_t model_macs = 0;
  double worst_node = 0;  // The importer's largest NodeError.
  double seconds = 0;     // Of training, in all calls together.
};

// Trains the bottleneck by distillation, and writes encoder, decoder, and the model that holds both
// where that is asked for. The codec file beside the model must have a codec of the tensor. A
// checkpoint is written at every record and at the end. InvalidArgument for a cut that cannot have
// a bottleneck and for an operator behind it that TorchGraph does not have; Internal where
// TorchGraph and ONNX Runtime disagree. Cancelled within a step, after a checkpoint. Exceptions of
// LibTorch end here.
absl::StatusOr<BottleneckOutcome> TrainBottleneck(const BottleneckOptions& options);

}  // namespace cleave

#endif  // CLEAVE_LEARN_TRAIN_BOTTLENECK_H_
