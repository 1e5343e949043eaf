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
    kSoftmax,  // The greatest probability is at least the threshold.
    kEntropy,  // The entropy of the probabilities, in nats, is at most the threshold.
  };
  Measure measure = Measure::kSoftmax;
  double threshold = 1;

  // Parses "T" or "softmax:T" (T from 0 to 1) and "entropy:T" (T from 0 on). An empty text is no
  // rule. InvalidArgument for any other.
  static absl::StatusOr<std::optional<ConfidenceRule>> Parse(absl::string_view text);

  // The confidence in the answer that has these logits, by the measure.
  double Of(std::span<const float> logits) const;
  // Whether this confidence is enough.
  bool Sure(double confidence) const;

  // The confidence of the least sure item of a batch of logits (batch x classes). InvalidArgument
  // for a tensor of another type or rank, or without classes.
  absl::StatusOr<double> OfBatch(const Tensor& logits) const;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_CONFIDENCE_H_
