#ifndef CLEAVE_RECORDER_FRIGATE_H_
#define CLEAVE_RECORDER_FRIGATE_H_

#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/rgb_image.h"
#include "detect/detection.h"

namespace cleave::recorder {

// The messages of Frigate's detector plugin "zmq" (frigate/detectors/plugins/zmq_ipc.py), without
// the socket that carries them. All functions are thread-safe.

// The plugin takes as many objects of a picture.
inline constexpr int kFrigateRows = 20;

// In which order a client's tensors have their channels (`input_pixel_format` of Frigate's model).
enum class PixelOrder : std::uint8_t { kRgb, kBgr };

// Newer plugins ask before the first frame whether their model is here,
struct ModelQuestion {
  std::string name;  // The name of its file, without the folder.
};
// and offer its file where it is not.
struct ModelOffer {
  std::string name;
  std::size_t bytes = 0;
};
// A frame whose objects are wanted.
struct FrameRequest {
  RgbImage picture;
};
using FrigateRequest = std::variant<ModelQuestion, ModelOffer, FrameRequest>;

// Reads the frames of a message: a JSON header and perhaps a body. A frame request has {"shape":
// [1, H, W, 3] or [1, 3, H, W], "dtype": "uint8" or "float32"} and the tensor's bytes, row-major.
// Floats are shares of 1, or values up to 255 where one of them is above 1.5. InvalidArgument names
// the field, what was found and what was expected; nothing is allocated for a tensor before its
// shape and its bytes agree.
absl::StatusOr<FrigateRequest> ParseFrigateRequest(std::span<const absl::string_view> frames,
                                                   PixelOrder order);

// Returns the answer to a frame: FP32 [20, 6], little-endian, a row for each of the highest scores
// with class, score and the upper, left, lower and right edge as shares of the picture's sides.
// Rows without an object are 0. REQUIRES: the sides are at least 1.
std::string FrigateAnswer(const std::vector<Detection>& detections, ImageSize picture);

// Returns the answer to a question or an offer: whether the client may send frames now.
std::string ModelAnswer(bool ready);
std::string OfferAnswer(bool taken);

// Returns the answer to a message that cannot be served; the client logs it, and takes it for a
// picture without objects.
std::string FrigateError(const absl::Status& why);

}  // namespace cleave::recorder

#endif  // CLEAVE_RECORDER_FRIGATE_H_
