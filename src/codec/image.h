#ifndef CLEAVE_CODEC_IMAGE_H_
#define CLEAVE_CODEC_IMAGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "codec/preprocessing.h"
#include "codec/rgb_image.h"

namespace cleave {

// Decodes a JPEG, PNG or WebP file (ImageReader says which), turns it upright as its EXIF data says
// and preprocesses it into a tensor of 1 x 3 x height x width (1 x height x width x 3 for NHWC) and
// of the type that `how` names. Resizing is that of Resample. The same bytes give the same bits on
// every machine. `origin` names the image in errors, which are those of Validate, ImageReader and
// PlacePicture. Thread-safe.
absl::StatusOr<Tensor> ImageToTensor(absl::string_view encoded, const Preprocessing& how,
                                     const std::string& origin);

// ImageToPixels and PixelsToTensor are the two halves of ImageToTensor, for callers that keep many
// images or change them in between. The first one decodes, turns and fits to height x width x 3
// bytes of RGB.
absl::StatusOr<std::vector<std::uint8_t>> ImageToPixels(absl::string_view encoded,
                                                        const Preprocessing& how,
                                                        const std::string& origin);
// The second half of ImageToPixels, of a picture that is decoded and upright.
absl::StatusOr<std::vector<std::uint8_t>> FitPixels(const RgbImage& upright,
                                                    const Preprocessing& how,
                                                    const std::string& origin);
// Converts pixels to the model's input, in the layout, order and type that `how` asks for.
// InvalidArgument unless there are height x width x 3 of them. REQUIRES: `how` is valid.
absl::StatusOr<Tensor> PixelsToTensor(std::span<const std::uint8_t> pixels,
                                      const Preprocessing& how);
// Does the same for one image of a batch of floats. REQUIRES: `pixels` and `out` hold height x
// width x 3 elements; `how` is valid and of FP32.
void NormalizePixels(std::span<const std::uint8_t> pixels, const Preprocessing& how,
                     std::span<float> out);

// Stacks tensors of shape [n, ...] along the first dimension. InvalidArgument if there are none, if
// they are scalars, or if types or shapes differ.
absl::StatusOr<Tensor> StackBatch(const std::vector<Tensor>& items);

// Reads NumPy's .npy format: versions 1 to 3, C order, little-endian; texts ("<U5") become strings
// of UTF-8, bytes ("|S5") strings as they are. Every field is checked against the size of the file;
// InvalidArgument names the field, what was found and what was expected.
absl::StatusOr<Tensor> NpyToTensor(absl::string_view bytes, const std::string& origin);
// Writes version 1.0 of the format; strings as bytes of one width, which lose zeros at their ends.
// BF16, for which NumPy has no type, is refused.
absl::StatusOr<std::string> TensorToNpy(const Tensor& tensor);

}  // namespace cleave

#endif  // CLEAVE_CODEC_IMAGE_H_
