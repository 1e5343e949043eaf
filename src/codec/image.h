#ifndef CLEAVE_CODEC_IMAGE_H_
#define CLEAVE_CODEC_IMAGE_H_

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"

namespace cleave {

// Says how an image becomes a model's input: its shorter side is resized to `resize`, the centre of
// height x width is cropped, and each channel is scaled to [0, 1], less its mean, over its standard
// deviation. The defaults are ImageNet's, which torchvision's models expect. If `resize` is the
// smaller of height and width, an image of height x width is neither resized nor cropped.
struct Preprocessing {
  // The shorter side before the crop; 0 means 256/224 of the larger of height and width.
  int resize = 0;
  int height = 224;
  int width = 224;
  bool channels_first = true;  // True means NCHW, false NHWC.
  std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  std::array<float, 3> deviation = {0.229F, 0.224F, 0.225F};

  // Checks that sides are from 1 to kMaxImageSide, `resize` is 0 or at least the smaller of them,
  // means are finite and deviations above 0; InvalidArgument names the field.
  absl::Status Validate() const;

  // Returns `resize`, or what it stands for when it is 0.
  int shorter_side() const;

  // Reads the JSON sidecar `<model>.json` ({"preprocessing": {"resize", "height", "width",
  // "layout": "NCHW", "mean": [..], "std": [..]}}). Each field is optional; unknown ones are
  // refused; `<model>` is the path with or without its extension. NotFound if there is no file or
  // it has no "preprocessing".
  static absl::StatusOr<Preprocessing> FromSidecar(const std::string& model_path,
                                                   Preprocessing defaults);
  // Reads the text of such a sidecar; `origin` names it in errors.
  static absl::StatusOr<Preprocessing> FromJson(absl::string_view json, const std::string& origin,
                                                Preprocessing defaults);
  // Returns the JSON that FromJson reads back as the same value.
  std::string ToJson() const;
};

inline constexpr int kMaxImageSide = 8192;
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 26;

// Decodes JPEG or PNG bytes and preprocesses them into FP32 of 1 x 3 x height x width (1 x height x
// width x 3 for NHWC). Resizing is bilinear with antialiasing, like torchvision's. `origin` names
// the image in errors. An image of more than kMaxImagePixels is refused before anything is decoded,
// one whose longer side ends up too short for the crop after it. Thread-safe.
absl::StatusOr<Tensor> ImageToTensor(absl::string_view encoded, const Preprocessing& how,
                                     const std::string& origin);

// ImageToPixels and NormalizePixels are the two halves of ImageToTensor, for callers that keep many
// images or change them in between. The first one decodes, resizes and crops to height x width x 3
// bytes.
absl::StatusOr<std::vector<std::uint8_t>> ImageToPixels(absl::string_view encoded,
                                                        const Preprocessing& how,
                                                        const std::string& origin);
// Converts pixels to the model's input values, in the layout that `how` asks for.
// REQUIRES: `pixels` and `out` hold height x width x 3 elements; `how` is valid.
void NormalizePixels(std::span<const std::uint8_t> pixels, const Preprocessing& how,
                     std::span<float> out);

// Stacks tensors of shape [n, ...] along the first dimension. InvalidArgument if there are none, if
// they are scalars, or if types or shapes differ.
absl::StatusOr<Tensor> StackBatch(const std::vector<Tensor>& items);

// Reads NumPy's .npy format: versions 1 to 3, C order, little-endian. Every field is checked
// against the size of the file; InvalidArgument names the field, what was found and what was
// expected.
absl::StatusOr<Tensor> NpyToTensor(absl::string_view bytes, const std::string& origin);
// Writes version 1.0 of the format. BF16, for which NumPy has no type, is refused.
absl::StatusOr<std::string> TensorToNpy(const Tensor& tensor);

}  // namespace cleave

#endif  // CLEAVE_CODEC_IMAGE_H_
