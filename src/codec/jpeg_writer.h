#ifndef CLEAVE_CODEC_JPEG_WRITER_H_
#define CLEAVE_CODEC_JPEG_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "codec/rgb_image.h"

namespace cleave {

// Internal to src/codec: writes a JPEG of `rgb`, which holds size.pixels() x 3 bytes, with Huffman
// tables of its own, and progressively where that makes it smaller, from 128 x 128 pixels up. Up to
// quality 90 the colours have half the resolution in both directions. REQUIRES: the sides are
// from 1 to 65500, the quality from 1 to 100. Thread-safe.
absl::StatusOr<std::string> WriteJpeg(const std::uint8_t* rgb, ImageSize size, int quality);

}  // namespace cleave

#endif  // CLEAVE_CODEC_JPEG_WRITER_H_
