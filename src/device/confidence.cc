#include "device/confidence.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace cleave {

absl::StatusOr<std::optional<ConfidenceRule>> ConfidenceRule::Parse(absl::string_view text) {
  if (text.empty()) return std::nullopt;
  ConfidenceRule rule;
  absl::string_view number = text;
  if (absl::ConsumePrefix(&number, "entropy:")) {
    rule.measure = Measure::kEntropy;
  } else {
    absl::ConsumePrefix(&number, "softmax:");
  }
  const bool entropy = rule.measure == Measure::kEntropy;
  const bool fits = absl::SimpleAtod(number, &rule.threshold) && rule.threshold >= 0 &&
                    std::isfinite(rule.threshold) && (entropy || rule.threshold <= 1);
  if (fits) return rule;
  return absl::InvalidArgumentError(
      absl::StrCat("exit_confidence: found '", text,
                   "', expected a probability from 0 to 1, softmax:PROBABILITY or entropy:NATS"));
}

double ConfidenceRule::Of(std::span<const float> logits) const {
  const double highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  double weighted = 0;
  for (const double logit : logits) {
    const double weight = std::exp(logit - highest);
    sum += weight;
    weighted += weight * (logit - highest);
  }
  return measure == Measure::kEntropy ? std::log(sum) - weighted / sum : 1 / sum;
}

bool ConfidenceRule::Sure(double confidence) const {
  return measure == Measure::kEntropy ? confidence <= threshold : confidence >= threshold;
}

absl::StatusOr<double> ConfidenceRule::OfBatch(const Tensor& logits) const {
  const Shape& shape = logits.shape();
  if (logits.dtype() != DataType::kFloat32 || shape.size() != 2 || logits.elements() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("exit: found an output of ", DataTypeName(logits.dtype()), " ",
                     ShapeString(shape), ", expected logits of FP32, batch x classes"));
  }
  const auto classes = static_cast<std::size_t>(shape[1]);
  const std::span<const float> all = logits.floats();
  double least = Of(all.first(classes));
  for (std::size_t at = classes; at < all.size(); at += classes) {
    const double confidence = Of(all.subspan(at, classes));
    least =
        measure == Measure::kEntropy ? std::max(least, confidence) : std::min(least, confidence);
  }
  return least;
}

}  // namespace cleave
