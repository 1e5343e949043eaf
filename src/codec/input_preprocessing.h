#ifndef CLEAVE_CODEC_INPUT_PREPROCESSING_H_
#define CLEAVE_CODEC_INPUT_PREPROCESSING_H_

#include <array>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "codec/image.h"

namespace cleave {

// What of the preprocessing the user set by hand; the rest comes from the model's sidecar, then
// from its input's shape, then from ImageNet's habits.
struct PreprocessingFlags {
  std::optional<int> resize;
  std::optional<int> height;
  std::optional<int> width;
  std::optional<std::array<float, 3>> mean;
  std::optional<std::array<float, 3>> deviation;

  // As a sidecar: {"preprocessing": {...}} with the fields that are set.
  std::string ToJson() const;
};

// How pictures become the input `input` of the model at `model_path`: by flags, then by the model's
// sidecar, then by the input's shape, then by ImageNet's habits. Errors are those of
// Preprocessing::FromSidecar and Validate.
absl::StatusOr<Preprocessing> PreprocessingFor(const TensorSpec& input,
                                               const std::string& model_path,
                                               const PreprocessingFlags& flags);

// InvalidArgument, led by `what`, for an input that pictures cannot become: not FP32 of four
// dimensions.
absl::Status CheckTakesPictures(const TensorSpec& input, absl::string_view what);

}  // namespace cleave

#endif  // CLEAVE_CODEC_INPUT_PREPROCESSING_H_
