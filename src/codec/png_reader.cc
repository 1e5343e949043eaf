#include <png.h>

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/image_reader.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kSignatureBytes = 8;

std::uint32_t BigEndian(absl::string_view bytes, std::size_t at) {
  return png_get_uint_32(reinterpret_cast<png_const_bytep>(bytes.data() + at));
}

class PngReader final : public ImageReader {
 public:
  PngReader(absl::string_view encoded, std::string origin)
      : encoded_(encoded), origin_(std::move(origin)) {}
  ~PngReader() override { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  // libpng says nothing of a header whose checksum is wrong and stops where the EXIF data may still
  // come, so that the chunks are walked here.
  absl::Status ReadHeader() {
    constexpr std::size_t kFrameBytes = 12;  // Length, name and checksum of a chunk.
    constexpr std::size_t kHeaderBytes = 13;
    std::size_t at = kSignatureBytes;
    if (encoded_.size() < at + kFrameBytes + kHeaderBytes || encoded_.substr(at + 4, 4) != "IHDR") {
      return FieldError(origin_, "a PNG image without its header", "a whole one");
    }
    const std::uint32_t width = BigEndian(encoded_, at + 8);
    const std::uint32_t height = BigEndian(encoded_, at + 12);
    if (width > PNG_UINT_31_MAX || height > PNG_UINT_31_MAX) {
      return FieldError(origin_, absl::StrCat("a PNG image of ", width, "x", height),
                        absl::StrCat("sides of at most ", PNG_UINT_31_MAX));
    }
    header_.stored = {static_cast<int>(width), static_cast<int>(height)};
    while (encoded_.size() >= kFrameBytes && at <= encoded_.size() - kFrameBytes) {
      const std::size_t length = BigEndian(encoded_, at);
      if (encoded_.substr(at + 4, 4) == "eXIf") {
        header_.orientation = ReadOrientation(encoded_.substr(at + 8, length));
      }
      at += kFrameBytes + length;
    }
    return absl::OkStatus();
  }

  absl::Status ReadPixels(std::uint8_t* rgb) override {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, this, Leave, IgnoreWarning);
    if (png_ != nullptr) info_ = png_create_info_struct(png_);
    if (info_ == nullptr) {
      return absl::ResourceExhaustedError(
          absl::StrCat(origin_, ": there is no memory to decode the PNG image"));
    }
    if (TryReadPixels(rgb)) return absl::OkStatus();
    if (broken_off_) {
      return FieldError(origin_, "a PNG image that breaks off before its end", "a whole one");
    }
    return FieldError(origin_, absl::StrCat("a broken PNG image (", message_.data(), ")"),
                      "a sound one");
  }

 private:
  [[noreturn]] static void Leave(png_structp png, png_const_charp message) {
    auto* const reader = static_cast<PngReader*>(png_get_error_ptr(png));
    std::strncpy(reader->message_.data(), message, reader->message_.size() - 1);
    png_longjmp(png, 1);
  }
  static void IgnoreWarning(png_structp /*png*/, png_const_charp /*message*/) {}

  static void Read(png_structp png, png_bytep to, std::size_t count) {
    auto* const reader = static_cast<PngReader*>(png_get_io_ptr(png));
    if (reader->encoded_.size() - reader->at_ < count) {
      reader->broken_off_ = true;
      png_error(png, "the file ends");
    }
    std::memcpy(to, reader->encoded_.data() + reader->at_, count);
    reader->at_ += count;
  }

  // The function that libpng may leave by a jump holds nothing with a destructor.
  bool TryReadPixels(std::uint8_t* rgb) {
    if (setjmp(png_jmpbuf(png_)) != 0) return false;
    png_set_read_fn(png_, this, Read);
    // No chunk is kept but those that make the pixels.
    png_set_keep_unknown_chunks(png_, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
    png_read_info(png_, info_);
    png_set_expand(png_);
    png_set_scale_16(png_);
    png_set_strip_alpha(png_);
    png_set_gray_to_rgb(png_);
    ReadRows(rgb);
    png_read_end(png_, nullptr);
    return true;
  }

  void ReadRows(std::uint8_t* rgb) {
    const int passes = png_set_interlace_handling(png_);
    png_read_update_info(png_, info_);
    const auto width = static_cast<std::size_t>(header_.stored.width);
    if (png_get_rowbytes(png_, info_) != width * RgbImage::kChannels ||
        png_get_image_height(png_, info_) != static_cast<png_uint_32>(header_.stored.height)) {
      png_error(png_, "it has a second header");
    }
    for (int pass = 0; pass < passes; ++pass) {
      for (int y = 0; y < header_.stored.height; ++y) {
        png_read_row(png_, rgb + width * RgbImage::kChannels * y, nullptr);
      }
    }
  }

  const absl::string_view encoded_;
  const std::string origin_;
  std::size_t at_ = 0;
  bool broken_off_ = false;
  std::array<char, 200> message_ = {};
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> OpenPng(absl::string_view encoded,
                                                     const std::string& origin) {
  auto reader = std::make_unique<PngReader>(encoded, origin);
  CLEAVE_RETURN_IF_ERROR(reader->ReadHeader());
  return reader;
}

}  // namespace cleave
