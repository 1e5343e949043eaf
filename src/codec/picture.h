#ifndef CLEAVE_CODEC_PICTURE_H_
#define CLEAVE_CODEC_PICTURE_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "codec/image.h"

namespace cleave {

// A baseline JPEG of `pixels`, height x width x 3 bytes of RGB. Quality from 1 to 100, sides from 1
// to kMaxImageSide, as many pixels as they say; InvalidArgument names what does not fit.
// Thread-safe.
absl::StatusOr<std::string> EncodeJpeg(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality);

// A picture as it travels: a file, and how whoever receives it makes the model's input of it.
struct TravellingPicture {
  std::string file;
  Preprocessing how;
};

// What travels of the picture `file`, which `how` would make the model's input of. kJpeg: both as
// they are. kJpeg90, kJpeg75, kJpeg50: a JPEG of that quality of the pixels that the model sees,
// which is height x width already, with a `resize` that leaves it alone. ImageToTensor of the
// result is the tensor of this plan, on the device and on the edge alike. InvalidArgument for an
// encoding that is not a picture's, and what ImageToPixels says; `origin` names the picture.
// Thread-safe.
absl::StatusOr<TravellingPicture> EncodePicture(absl::string_view file, const Preprocessing& how,
                                                Encoding encoding, const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_CODEC_PICTURE_H_
