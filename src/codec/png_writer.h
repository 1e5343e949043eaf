#ifndef CLEAVE_CODEC_PNG_WRITER_H_
#define CLEAVE_CODEC_PNG_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "codec/rgb_image.h"

namespace cleave {

// Internal to src/codec: writes a PNG file of `rgb`, which holds size.pixels() x 3 bytes, whose
// rows are stored as they are: it loses nothing and takes hardly longer than to copy them.
// REQUIRES: the sides are from 1 to kMaxImageSide. Thread-safe.
absl::StatusOr<std::string> WritePng(const std::uint8_t* rgb, ImageSize size);

}  // namespace cleave

#endif  // CLEAVE_CODEC_PNG_WRITER_H_
