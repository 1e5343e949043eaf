#ifndef CLEAVE_DEVICE_CONFIDENCE_H_
#define CLEAVE_DEVICE_CONFIDENCE_H_

#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// When the answer of an early exit is sure enough to be the answer (BranchyNet, arXiv 1709.01686).
struct ConfidenceRule {
  enum class Measure : std::uint8_t {
    kSoftmax,  // Greatest probability, at least the threshold.
    kEntropy,  // Entropy of the probabilities in nats, at most the threshold.
  };
  Measure measure = Measure::kSoftmax;
  double threshold = 1;

  // "T" or "softmax:T" (T from 0 to 1), "entropy:T" (T from 0 on); nothing for an empty text.
  static absl::StatusOr<std::optional<ConfidenceRule>> Parse(absl::string_view text);

  // What the measure makes of these logits.
  double Of(std::span<const float> logits) const;
  bool Sure(double confidence) const;

  // Of a batch of logits (batch x classes): that of its least sure item. InvalidArgument for
  // another type or rank, or no classes.
  absl::StatusOr<double> OfBatch(const Tensor& logits) const;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_CONFIDENCE_H_
