#include "codec/image_reader.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "codec/preprocessing.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr int kMaxStoredSide = 1 << 16;

enum class Format { kJpeg, kPng, kWebp, kOther };

Format FormatOf(absl::string_view encoded) {
  if (absl::StartsWith(encoded, "\xFF\xD8")) return Format::kJpeg;
  if (absl::StartsWith(encoded, "\x89PNG")) return Format::kPng;
  const bool riff = absl::StartsWith(encoded, "RIFF") && encoded.size() >= 12;
  return riff && encoded.substr(8, 4) == "WEBP" ? Format::kWebp : Format::kOther;
}

// Names the kinds of image files that are not read. ISO/IEC 14496-12: a file that begins with a box
// "ftyp" says its kind in the box's first four letters.
absl::string_view NameOfOther(absl::string_view encoded) {
  struct Kind {
    absl::string_view magic;
    absl::string_view name;
  };
  static constexpr std::array<Kind, 7> kKinds = {{{"GIF8", "GIF"},
                                                  {"BM", "BMP"},
                                                  {{"II*\0", 4}, "TIFF"},
                                                  {{"MM\0*", 4}, "TIFF"},
                                                  {"\xFF\x0A", "JPEG XL"},
                                                  {{"\0\0\0\x0CJXL ", 8}, "JPEG XL"},
                                                  {{"\0\0\0\x0CjP  ", 8}, "JPEG 2000"}}};
  for (const Kind& kind : kKinds) {
    if (absl::StartsWith(encoded, kind.magic)) return kind.name;
  }
  if (encoded.size() < 12 || encoded.substr(4, 4) != "ftyp") return "";
  const absl::string_view brand = encoded.substr(8, 4);
  if (brand == "avif" || brand == "avis") return "AVIF";
  static constexpr std::array<absl::string_view, 8> kHeic = {"heic", "heix", "heim", "heis",
                                                             "hevc", "hevx", "mif1", "msf1"};
  return std::find(kHeic.begin(), kHeic.end(), brand) != kHeic.end() ? "HEIC" : "";
}

absl::Status RefuseOther(absl::string_view encoded, const std::string& origin) {
  const absl::string_view name = NameOfOther(encoded);
  return FieldError(origin,
                    name.empty() ? "neither JPEG, PNG nor WebP"
                                 : absl::StrCat("neither JPEG, PNG nor WebP, but ", name),
                    "one of these three");
}

absl::StatusOr<std::unique_ptr<ImageReader>> OpenFormat(Format format, absl::string_view encoded,
                                                        const std::string& origin) {
  switch (format) {
    case Format::kJpeg:
      return OpenJpeg(encoded, origin);
    case Format::kPng:
      return OpenPng(encoded, origin);
    case Format::kWebp:
      return OpenWebp(encoded, origin);
    case Format::kOther:
      break;
  }
  return RefuseOther(encoded, origin);
}

// Returns the largest plausible number of pixels; an image with more is a decompression bomb. A
// JPEG block of 64 pixels takes at least one bit, and deflate makes at most 1032 bytes of one byte,
// each of 8 pixels. WebP needs no bytes at all for pixels of one colour, so that 2^24 are free.
std::int64_t MostPixels(Format format, std::size_t bytes) {
  constexpr std::int64_t kJpegPixelsPerByte = 512;
  constexpr std::int64_t kPngPixelsPerByte = 8256;  // 1032 bytes of 8 pixels.
  const auto size = static_cast<std::int64_t>(bytes);
  switch (format) {
    case Format::kJpeg:
      return std::min(kMaxImagePixels, kJpegPixelsPerByte * size);
    case Format::kWebp:
      return std::min(kMaxImagePixels, (std::int64_t{1} << 24) + kPngPixelsPerByte * size);
    default:
      return std::min(kMaxImagePixels, kPngPixelsPerByte * size);
  }
}

absl::Status CheckSize(Format format, ImageSize size, std::size_t bytes,
                       const std::string& origin) {
  const std::string found = absl::StrCat("an image of ", size.width, "x", size.height);
  const std::int64_t most = MostPixels(format, bytes);
  if (size.width < 1 || size.height < 1 || size.pixels() > most) {
    return FieldError(origin, absl::StrCat(found, " in ", bytes, " bytes"),
                      absl::StrCat("at least 1 and at most ", most, " pixels"));
  }
  if (std::max(size.width, size.height) > kMaxStoredSide) {
    return FieldError(origin, found, absl::StrCat("sides of at most ", kMaxStoredSide));
  }
  return absl::OkStatus();
}

}  // namespace

bool HasImageEnding(absl::string_view path) {
  const std::string lower = absl::AsciiStrToLower(path);
  static constexpr std::array<absl::string_view, 4> kEndings = {".jpg", ".jpeg", ".png", ".webp"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](absl::string_view ending) { return absl::EndsWith(lower, ending); });
}

absl::StatusOr<std::unique_ptr<ImageReader>> ImageReader::Open(absl::string_view encoded,
                                                               const std::string& origin) {
  if (encoded.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return FieldError(origin, absl::StrCat(encoded.size(), " bytes"), "an image below 2 GiB");
  }
  const Format format = FormatOf(encoded);
  CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<ImageReader> reader, OpenFormat(format, encoded, origin));
  CLEAVE_RETURN_IF_ERROR(CheckSize(format, reader->header().stored, encoded.size(), origin));
  return reader;
}

absl::StatusOr<RgbImage> ImageReader::ReadUpright() {
  RgbImage image(header_.stored);
  CLEAVE_RETURN_IF_ERROR(ReadPixels(image.rgb.data()));
  return MakeUpright(std::move(image), header_.orientation);
}

}  // namespace cleave
