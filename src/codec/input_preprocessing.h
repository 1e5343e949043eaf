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

// The fields of the preprocessing that the user has set by hand. The rest comes from the model's
// sidecar, then from its input's shape, then from ImageNet's defaults.
struct PreprocessingFlags {
  std::optional<int> resize;
  std::optional<int> height;
  std::optional<int> width;
  std::optional<std::array<float, 3>> mean;
  std::optional<std::array<float, 3>> deviation;

  // Returns {"preprocessing": {...}} as in a sidecar, with the fields that are set.
  std::string ToJson() const;
};

// Whether pictures can become this input: it is FP32, FP16 or UINT8 and has four dimensions.
bool TakesPictures(const TensorSpec& input);

// Returns how pictures become the input `input` of the model at `model_path`: the flags decide
// first, then the model's sidecar, the input's shape and type, and ImageNet's defaults (a UINT8
// input gets the values as the file has them). Errors are those of Preprocessing::FromSidecar and
// Validate; InvalidArgument for a sidecar that names another type than the input's.
absl::StatusOr<Preprocessing> PreprocessingFor(const TensorSpec& input,
                                               const std::string& model_path,
                                               const PreprocessingFlags& flags);

// Returns InvalidArgument, which starts with `what`, unless TakesPictures(input).
absl::Status CheckTakesPictures(const TensorSpec& input, absl::string_view what);

}  // namespace cleave

#endif  // CLEAVE_CODEC_INPUT_PREPROCESSING_H_
