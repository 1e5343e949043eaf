#ifndef CLEAVE_CODEC_PICTURE_H_
#define CLEAVE_CODEC_PICTURE_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "codec/image.h"
#include "codec/rgb_image.h"

namespace cleave {

// Encodes `pixels`, height x width x 3 bytes of RGB, as a JPEG. The quality is from 1 to 100, the
// sides are from 1 to kMaxImageSide, and there are as many pixels as they say; InvalidArgument
// names what does not fit. Thread-safe.
absl::StatusOr<std::string> EncodeJpeg(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality);

// The same as a lossy WebP file.
absl::StatusOr<std::string> EncodeWebp(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality);

// The same for a whole picture, whose sides are from 1 to 65500, the longest that JPEG has.
absl::StatusOr<std::string> EncodeJpeg(const RgbImage& picture, int quality);

// Encodes `pixels` as a PNG that loses nothing and is not compressed, for pixels that come from
// elsewhere and go on as a picture. The same errors as EncodeJpeg.
absl::StatusOr<std::string> EncodePng(std::span<const std::uint8_t> pixels, int height, int width);

// A picture as it is sent: a file, and how the receiver makes the model's input from it.
struct TravellingPicture {
  std::string file;
  Preprocessing how;
};

// Returns what is sent for the picture `file`, which `how` would turn into the model's input.
// kJpeg: both are sent unchanged. kJpeg90 to kWebp25: a JPEG or WebP of that quality is made of the
// pixels that the model sees, which are upright and of height x width already, with a `resize` that
// leaves them unchanged (the other fits do by themselves). ImageToTensor of the result is the
// tensor of this plan, on the device and on the edge alike. InvalidArgument for an encoding that is
// not a picture's; other errors are those of ImageToPixels; `origin` names the picture.
// Thread-safe.
absl::StatusOr<TravellingPicture> EncodePicture(absl::string_view file, const Preprocessing& how,
                                                Encoding encoding, const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_CODEC_PICTURE_H_
