#include "learn/exits_proof.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr double kTolerance = 1e-4;

}  // namespace

absl::Status CheckSameOutputs(std::span<const NamedTensor> expected,
                              std::span<const NamedTensor> found) {
  if (found.size() != expected.size()) {
    return absl::InternalError(
        absl::StrCat("outputs: found ", found.size(), ", expected ", expected.size()));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Tensor& before = expected[i].tensor;
    const Tensor& now = found[i].tensor;
    if (found[i].name == expected[i].name && now.dtype() == before.dtype() &&
        now.shape() == before.shape() && now.bytes() == before.bytes()) {
      continue;
    }
    return absl::InternalError(absl::StrCat(
        "output '", expected[i].name,
        "' is not the same, bit for bit, when ONNX Runtime runs the file with exits: one of the "
        "cuts parts operators that it fuses, and then it rounds otherwise; a cut behind an "
        "activation is safer"));
  }
  return absl::OkStatus();
}

absl::StatusOr<double> CheckLogits(const LinearHead& head, std::span<const float> features,
                                   const NamedTensor& logits) {
  const std::size_t classes = head.bias.size();
  const std::size_t width = head.weights.size() / classes;
  const std::size_t rows = features.size() / width;
  const Shape expected = {static_cast<std::int64_t>(rows), static_cast<std::int64_t>(classes)};
  if (logits.tensor.dtype() != DataType::kFloat32 || logits.tensor.shape() != expected) {
    return absl::InternalError(absl::StrCat("exit '", logits.name, "': found ",
                                            ShapeString(logits.tensor.shape()), ", expected FP32 ",
                                            ShapeString(expected)));
  }
  double worst = 0;
  for (std::size_t row = 0; row < rows; ++row) {
    const auto right = ApplyHead(head, features.subspan(row * width, width));
    double largest = 1;
    double error = 0;
    for (std::size_t i = 0; i < classes; ++i) {
      const double found = logits.tensor.floats()[row * classes + i];
      largest = std::max(largest, std::abs(right[i]));
      const double apart = std::abs(found - right[i]);
      error = std::max(error, std::isfinite(apart) ? apart : HUGE_VAL);
    }
    worst = std::max(worst, error / largest);
  }
  if (worst <= kTolerance) return worst;
  return absl::InternalError(absl::StrCat("exit '", logits.name,
                                          "': the file's logits differ from its head's by ", worst,
                                          ", expected ", kTolerance, " at most"));
}

}  // namespace cleave
