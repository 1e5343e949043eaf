#ifndef CLEAVE_CODEC_JPEG_CHECK_H_
#define CLEAVE_CODEC_JPEG_CHECK_H_

#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cleave {

// Returns what is wrong with the frame of a JPEG image that stb would not notice, or nothing when
// the image may be decoded. stb takes a truncated image for a whole one whose rest is grey, takes
// minutes for thousands of scans, and writes beyond its arrays for a Huffman table of more than 256
// codes. REQUIRES: `encoded` starts with FF D8.
std::optional<std::string> FindJpegProblem(absl::string_view encoded);

}  // namespace cleave

#endif  // CLEAVE_CODEC_JPEG_CHECK_H_
