#ifndef CLEAVE_EXPERIMENTS_COMPRESSION_AVIF_H_
#define CLEAVE_EXPERIMENTS_COMPRESSION_AVIF_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave::experiments::compression {

// Encodes height x width x 3 bytes of RGB as an AVIF file with colours of half the resolution, at
// libavif's speed 6. The quality is from 1 to 100, as Pillow maps it to quantizers. Thread-safe.
absl::StatusOr<std::string> EncodeAvif(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality);

// Decodes such a file into RGB.
absl::StatusOr<std::vector<std::uint8_t>> DecodeAvif(absl::string_view file);

}  // namespace cleave::experiments::compression

#endif  // CLEAVE_EXPERIMENTS_COMPRESSION_AVIF_H_
