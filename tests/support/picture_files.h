#ifndef CLEAVE_TESTS_SUPPORT_PICTURE_FILES_H_
#define CLEAVE_TESTS_SUPPORT_PICTURE_FILES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace cleave::testing {

// Pictures as files, by a writer that is not the product's. `rgb` holds height x width x 3 bytes.

inline void AppendBytes(void* out, void* data, int size) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data),
                                         static_cast<std::size_t>(size));
}

inline std::string PngFile(int width, int height, const std::vector<std::uint8_t>& rgb) {
  std::string bytes;
  stbi_write_png_to_func(AppendBytes, &bytes, width, height, 3, rgb.data(), width * 3);
  return bytes;
}

inline std::string JpegFile(int width, int height, const std::vector<std::uint8_t>& rgb) {
  constexpr int kQuality = 95;
  std::string bytes;
  stbi_write_jpg_to_func(AppendBytes, &bytes, width, height, 3, rgb.data(), kQuality);
  return bytes;
}

// A PNG of one colour.
inline std::string PlainPng(int width, int height, int red, int green, int blue) {
  std::vector<std::uint8_t> rgb;
  for (int i = 0; i < width * height; ++i) {
    for (const int value : {red, green, blue}) rgb.push_back(static_cast<std::uint8_t>(value));
  }
  return PngFile(width, height, rgb);
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_PICTURE_FILES_H_
