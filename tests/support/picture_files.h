#ifndef CLEAVE_TESTS_SUPPORT_PICTURE_FILES_H_
#define CLEAVE_TESTS_SUPPORT_PICTURE_FILES_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
// jpeglib.h needs the two above.
#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace cleave::testing {

// Pictures as files, by writers that are not the product's. A writer that fails ends the test
// program.

// The kind of a PNG is one of libpng's formats, as PNG_FORMAT_RGB; `pixels` holds what it needs.
inline std::string PngFile(int width, int height, png_uint_32 format, const void* pixels) {
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = format;
  png_alloc_size_t size = 0;
  if (!png_image_write_get_memory_size(image, size, 0, pixels, 0, nullptr)) std::abort();
  std::string bytes(size, '\0');
  if (!png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels, 0, nullptr)) std::abort();
  bytes.resize(size);
  return bytes;
}

// `rgb` holds height x width x 3 bytes, here and below.
inline std::string PngFile(int width, int height, const std::vector<std::uint8_t>& rgb) {
  return PngFile(width, height, PNG_FORMAT_RGB, rgb.data());
}

struct JpegKind {
  int quality = 95;
  bool progressive = false;
  // Of the first component; the others have 1.
  int horizontal_sampling = 1;
  int vertical_sampling = 1;
  // What `pixels` and the file hold; gray has 1 byte for each pixel, RGB 3, CMYK 4 (inverted, as
  // Adobe has it).
  J_COLOR_SPACE colours = JCS_RGB;
  std::string exif;  // The contents of an APP1 segment; empty: there is none.
};

inline std::string JpegFile(int width, int height, const std::vector<std::uint8_t>& pixels,
                            const JpegKind& kind = {}) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* file = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &file, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.in_color_space = kind.colours;
  info.input_components = kind.colours == JCS_GRAYSCALE ? 1 : kind.colours == JCS_CMYK ? 4 : 3;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, kind.quality, TRUE);
  info.comp_info[0].h_samp_factor = kind.horizontal_sampling;
  info.comp_info[0].v_samp_factor = kind.vertical_sampling;
  if (kind.progressive) jpeg_simple_progression(&info);
  jpeg_start_compress(&info, TRUE);
  if (!kind.exif.empty()) {
    jpeg_write_marker(&info, JPEG_APP0 + 1, reinterpret_cast<const JOCTET*>(kind.exif.data()),
                      static_cast<unsigned>(kind.exif.size()));
  }
  const std::size_t row_bytes = static_cast<std::size_t>(width) * info.input_components;
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(pixels.data()) + info.next_scanline * row_bytes;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  std::string bytes(reinterpret_cast<const char*>(file), size);
  std::free(file);
  return bytes;
}

inline std::string WebpFile(int width, int height, const std::vector<std::uint8_t>& rgb) {
  std::uint8_t* file = nullptr;
  const std::size_t size = WebPEncodeLosslessRGB(rgb.data(), width, height, width * 3, &file);
  if (size == 0) std::abort();
  std::string bytes(reinterpret_cast<const char*>(file), size);
  WebPFree(file);
  return bytes;
}

// EXIF data that says this orientation, in either byte order.
inline std::string ExifOf(int orientation, bool big_endian = false) {
  const char value = static_cast<char>(orientation);
  std::string tiff = big_endian
                         ? std::string("MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0", 19)
                         : std::string("II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 18);
  tiff += value;
  tiff.append(big_endian ? 2 + 4 : 3 + 4, '\0');
  return std::string("Exif\0\0", 6) + tiff;
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
