#ifndef CLEAVE_CODEC_WEBP_WRITER_H_
#define CLEAVE_CODEC_WEBP_WRITER_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "codec/rgb_image.h"

namespace cleave {

// Internal to src/codec: writes a lossy WebP file of `rgb`, which holds size.pixels() x 3 bytes, by
// libwebp's method 4. REQUIRES: the sides are from 1 to 16383, the quality from 1 to 100.
// Thread-safe.
absl::StatusOr<std::string> WriteWebp(const std::uint8_t* rgb, ImageSize size, int quality);

}  // namespace cleave

#endif  // CLEAVE_CODEC_WEBP_WRITER_H_
