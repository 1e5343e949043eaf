#ifndef CLEAVE_CODEC_IMAGE_H_
#define CLEAVE_CODEC_IMAGE_H_

#include <array>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// How an image becomes a model's input: shorter side to `resize`, centre crop to height x width, to
// [0, 1], minus mean, over standard deviation, for each channel. Defaults are ImageNet's, as
// torchvision's models expect.
struct Preprocessing {
  int resize = 0;  // Shorter side before the crop; 0: 256/224 of the larger of height and width.
  int height = 224;
  int width = 224;
  bool channels_first = true;  // NCHW, else NHWC.
  std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  std::array<float, 3> deviation = {0.229F, 0.224F, 0.225F};

  absl::Status Validate() const;

  // From the JSON sidecar `<model>.json` ({"preprocessing": {"resize", "height", "width", "layout":
  // "NCHW", "mean": [..], "std": [..]}}), each field optional. NotFound if there is none.
  static absl::StatusOr<Preprocessing> FromSidecar(const std::string& model_path,
                                                   Preprocessing defaults);
};

// Decodes JPEG or PNG bytes and prepares them: FP32, 1 x 3 x height x width. `origin` names the
// image in errors; more than 2^26 pixels are refused before anything is allocated.
absl::StatusOr<Tensor> ImageToTensor(absl::string_view encoded, const Preprocessing& how,
                                     const std::string& origin);

// Stacks tensors of shape [1, ...] along the first dimension.
absl::StatusOr<Tensor> StackBatch(const std::vector<Tensor>& items);

// NumPy's .npy format, versions 1 to 3, C order, little-endian. Every field is checked against the
// size of the file.
absl::StatusOr<Tensor> NpyToTensor(absl::string_view bytes, const std::string& origin);
std::string TensorToNpy(const Tensor& tensor);

}  // namespace cleave

#endif  // CLEAVE_CODEC_IMAGE_H_
