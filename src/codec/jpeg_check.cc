#include "codec/jpeg_check.h"

#include <algorithm>
#include <cstddef>

namespace cleave {
namespace {

constexpr unsigned kMarker = 0xFF;
constexpr unsigned kHuffmanTables = 0xC4;
constexpr unsigned kStartOfScan = 0xDA;
constexpr unsigned kEndOfImage = 0xD9;

// Each scan covers the whole image; encoders write about ten.
constexpr int kMostScans = 100;

class JpegReader {
 public:
  explicit JpegReader(absl::string_view bytes) : bytes_(bytes) {}

  // Returns the next marker at or after the present position, as stb looks for it.
  std::optional<unsigned> NextMarker() {
    while (at_ < bytes_.size() && Byte(at_) != kMarker) ++at_;
    while (at_ < bytes_.size() && Byte(at_) == kMarker) ++at_;
    if (at_ == bytes_.size()) return std::nullopt;
    return Byte(at_++);
  }

  // Returns the segment after a marker, without its two bytes of length.
  absl::string_view Segment() const {
    if (at_ + 2 > bytes_.size()) return {};
    const std::size_t length = Byte(at_) << 8 | Byte(at_ + 1);
    return length < 2 ? absl::string_view() : bytes_.substr(at_ + 2, length - 2);
  }

  void SkipSegment() { at_ = std::min(at_ + 2 + Segment().size(), bytes_.size()); }

 private:
  unsigned Byte(std::size_t at) const { return static_cast<unsigned char>(bytes_[at]); }

  absl::string_view bytes_;
  std::size_t at_ = 2;
};

bool TablesFit(absl::string_view tables) {
  constexpr std::size_t kLengths = 16;
  constexpr std::size_t kMostCodes = 256;
  while (!tables.empty()) {
    if (tables.size() < 1 + kLengths) return false;
    std::size_t codes = 0;
    for (const char count : tables.substr(1, kLengths)) codes += static_cast<unsigned char>(count);
    if (codes > kMostCodes || tables.size() < 1 + kLengths + codes) return false;
    tables.remove_prefix(1 + kLengths + codes);
  }
  return true;
}

}  // namespace

std::optional<std::string> FindJpegProblem(absl::string_view encoded) {
  JpegReader reader(encoded);
  int scans = 0;
  bool whole = false;
  while (const std::optional<unsigned> marker = reader.NextMarker()) {
    if (marker == kHuffmanTables && !TablesFit(reader.Segment())) {
      return "a Huffman table of the JPEG image is broken";
    }
    if (marker == kStartOfScan && ++scans > kMostScans) {
      return "the JPEG image has too many scans";
    }
    if (marker == kEndOfImage && scans > 0) whole = true;
    // From the first scan on, every position is examined, since it cannot be known where stb
    // continues after a broken scan.
    if (scans == 0) reader.SkipSegment();
  }
  if (!whole) return "the JPEG image breaks off before its end";
  return std::nullopt;
}

}  // namespace cleave
