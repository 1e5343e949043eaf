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

// How an image becomes a model's input: shorter side to `resize`, centre crop to height x width, to
// [0, 1], minus mean, over standard deviation, for each channel. Defaults are ImageNet's, as
// torchvision's models expect. With a `resize` of the smaller of height and width, an image of
// height x width is neither resized nor cropped.
struct Preprocessing {
  int resize = 0;  // Shorter side before the crop; 0: 256/224 of the larger of height and width.
  int height = 224;
  int width = 224;
  bool channels_first = true;  // NCHW, else NHWC.
  std::array<float, 3> mean = {0.485F, 0.456F, 0.406F};
  std::array<float, 3> deviation = {0.229F, 0.224F, 0.225F};

  // Sides from 1 to kMaxImageSide, `resize` 0 or at least the smaller of them, finite means,
  // deviations above 0; InvalidArgument names the field.
  absl::Status Validate() const;

  // `resize`, or what it stands for when it is 0.
  int shorter_side() const;

  // From the JSON sidecar `<model>.json` ({"preprocessing": {"resize", "height", "width", "layout":
  // "NCHW", "mean": [..], "std": [..]}}), each field optional, unknown ones refused; `<model>` with
  // or without its ending. NotFound if there is no file or nothing about preprocessing in it.
  static absl::StatusOr<Preprocessing> FromSidecar(const std::string& model_path,
                                                   Preprocessing defaults);
  static absl::StatusOr<Preprocessing> FromJson(absl::string_view json, const std::string& origin,
                                                Preprocessing defaults);
  // What FromJson reads back as the same.
  std::string ToJson() const;
};

inline constexpr int kMaxImageSide = 8192;
inline constexpr std::int64_t kMaxImagePixels = std::int64_t{1} << 26;

// Decodes JPEG or PNG bytes and prepares them: FP32, 1 x 3 x height x width (1 x height x width x 3
// for NHWC). Resizing is bilinear with antialiasing, as torchvision's. `origin` names the image in
// errors; more than kMaxImagePixels are refused before anything is decoded, an image whose longer
// side ends up too short for the crop after. Thread-safe.
absl::StatusOr<Tensor> ImageToTensor(absl::string_view encoded, const Preprocessing& how,
                                     const std::string& origin);

// The two halves of ImageToTensor, for those who keep many images or change them in between.
// Decoded, resized and cropped: height x width x 3 bytes.
absl::StatusOr<std::vector<std::uint8_t>> ImageToPixels(absl::string_view encoded,
                                                        const Preprocessing& how,
                                                        const std::string& origin);
// To the model's numbers, in the layout that `how` asks for.
// REQUIRES: `pixels` and `out` hold height x width x 3 elements; `how` is valid.
void NormalizePixels(std::span<const std::uint8_t> pixels, const Preprocessing& how,
                     std::span<float> out);

// Stacks tensors of shape [n, ...] along the first dimension. InvalidArgument for none, scalars, or
// types and shapes that differ.
absl::StatusOr<Tensor> StackBatch(const std::vector<Tensor>& items);

// NumPy's .npy format, versions 1 to 3, C order, little-endian. Every field is checked against the
// size of the file; InvalidArgument names the field, what was found and what was expected.
absl::StatusOr<Tensor> NpyToTensor(absl::string_view bytes, const std::string& origin);
// Version 1.0. BF16, for which NumPy has no type, is refused.
absl::StatusOr<std::string> TensorToNpy(const Tensor& tensor);

}  // namespace cleave

#endif  // CLEAVE_CODEC_IMAGE_H_
