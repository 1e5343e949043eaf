#ifndef CLEAVE_APP_OUTPUT_METRIC_H_
#define CLEAVE_APP_OUTPUT_METRIC_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "core/distortion.h"
#include "detect/detection_head.h"

namespace cleave::app {

// How much the outputs of a model differ from what they should be, as the squared length of a
// vector (docs/tensor-codec.md):
//
// - detections: the change of every score, and of every number that makes a box, weighted by the
//   box's highest score;
// - classes: the change of the logits in the metric of the probabilities, so that the squared
// length
//   is about twice the Kullback-Leibler divergence;
// - other outputs: the change of every float, in standard deviations of the output, divided by the
//   root of their number.
//
// Immutable; thread-safe.
class OutputMetric {
 public:
  enum class Kind { kDetections, kClasses, kOutputs };

  // The one for a model with these outputs. Errors are those of HeadOfModel; InvalidArgument where
  // no output is FP32, or a model suppresses boxes itself: their number changes, so that there is
  // no small change.
  static absl::StatusOr<OutputMetric> Of(const std::string& model_path,
                                         const std::vector<TensorSpec>& inputs,
                                         const std::vector<TensorSpec>& outputs);

  Kind kind() const { return kind_; }
  // The squared length that hardly anybody notices, at which the finest rate of a codec aims.
  double finest_distortion() const;

  // Returns the vector. InvalidArgument where outputs are missing or have other shapes than those
  // of the reference.
  absl::StatusOr<std::vector<float>> Change(const std::vector<NamedTensor>& reference,
                                            const std::vector<NamedTensor>& changed) const;

  // Returns the squared length of the vector, and its gradient with respect to the changed outputs,
  // which training follows. Errors are those of Change.
  absl::StatusOr<Distortion> DistortionOf(const std::vector<NamedTensor>& reference,
                                          const std::vector<NamedTensor>& changed) const;

 private:
  struct Moves;

  absl::Status AddMoves(const std::vector<NamedTensor>& reference,
                        const std::vector<NamedTensor>& changed, Moves& moves) const;

  Kind kind_ = Kind::kOutputs;
  std::optional<DetectionHead> head_;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_OUTPUT_METRIC_H_
