#include "codec/png_writer.h"

#include <png.h>

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr int kStored = 0;  // zlib's level without compression.

class PngWriter {
 public:
  PngWriter(const std::uint8_t* rgb, ImageSize size) : rgb_(rgb), size_(size) {}
  ~PngWriter() { png_destroy_write_struct(&png_, &info_); }
  PngWriter(const PngWriter&) = delete;
  PngWriter& operator=(const PngWriter&) = delete;

  absl::StatusOr<std::string> Write() {
    png_ = png_create_write_struct(PNG_LIBPNG_VER_STRING, this, Leave, nullptr);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ != nullptr && TryWrite()) return std::move(file_);
    return absl::InternalError(absl::StrCat("PNG of ", size_.width, "x", size_.height,
                                            ": cannot be written (", message_.data(), ")"));
  }

 private:
  [[noreturn]] static void Leave(png_structp png, png_const_charp message) {
    auto* const writer = static_cast<PngWriter*>(png_get_error_ptr(png));
    std::strncpy(writer->message_.data(), message, writer->message_.size() - 1);
    png_longjmp(png, 1);
  }

  static void Append(png_structp png, png_bytep from, std::size_t count) {
    static_cast<PngWriter*>(png_get_io_ptr(png))
        ->file_.append(reinterpret_cast<const char*>(from), count);
  }
  static void Flush(png_structp /*png*/) {}

  // The function that libpng may leave by a jump holds nothing with a destructor.
  bool TryWrite() {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_write_fn(png_, this, Append, Flush);
    png_set_compression_level(png_, kStored);
    png_set_filter(png_, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_IHDR(png_, info_, static_cast<png_uint_32>(size_.width),
                 static_cast<png_uint_32>(size_.height), 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png_, info_);
    const std::size_t row_bytes = static_cast<std::size_t>(size_.width) * RgbImage::kChannels;
    for (int y = 0; y < size_.height; ++y) png_write_row(png_, rgb_ + row_bytes * y);
    png_write_end(png_, nullptr);
    return true;
  }

  const std::uint8_t* const rgb_;
  const ImageSize size_;
  std::string file_;
  std::array<char, 200> message_ = {};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

absl::StatusOr<std::string> WritePng(const std::uint8_t* rgb, ImageSize size) {
  return PngWriter(rgb, size).Write();
}

}  // namespace cleave
