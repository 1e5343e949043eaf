#ifndef CLEAVE_CODEC_RGB_IMAGE_H_
#define CLEAVE_CODEC_RGB_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace cleave {

struct ImageSize {
  int width = 0;
  int height = 0;

  std::int64_t pixels() const { return std::int64_t{width} * height; }
  friend bool operator==(const ImageSize&, const ImageSize&) = default;
};

// Pixels of 8-bit R, G and B in rows without gaps: height x width x 3 bytes.
struct RgbImage {
  static constexpr int kChannels = 3;

  ImageSize size;
  std::vector<std::uint8_t> rgb;

  RgbImage() = default;
  explicit RgbImage(ImageSize of)
      : size(of), rgb(static_cast<std::size_t>(of.pixels()) * kChannels) {}

  std::size_t row_bytes() const { return static_cast<std::size_t>(size.width) * kChannels; }
  const std::uint8_t* row(int y) const { return rgb.data() + row_bytes() * y; }
  std::uint8_t* row(int y) { return rgb.data() + row_bytes() * y; }
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_RGB_IMAGE_H_
