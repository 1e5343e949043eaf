#include "codec/picture.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/jpeg_writer.h"
#include "codec/png_writer.h"
#include "codec/webp_writer.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr int kChannels = 3;
constexpr int kMostJpegSide = 65500;

enum class Format : std::uint8_t { kAsItIs, kJpeg, kWebp };

struct PictureFormat {
  Encoding encoding = Encoding::kJpeg;
  Format format = Format::kAsItIs;
  int quality = 0;
};

constexpr std::array kFormats = std::to_array<PictureFormat>({
    {Encoding::kJpeg, Format::kAsItIs, 0},
    {Encoding::kJpeg90, Format::kJpeg, 90},
    {Encoding::kJpeg75, Format::kJpeg, 75},
    {Encoding::kJpeg50, Format::kJpeg, 50},
    {Encoding::kWebp90, Format::kWebp, 90},
    {Encoding::kWebp75, Format::kWebp, 75},
    {Encoding::kWebp50, Format::kWebp, 50},
    {Encoding::kWebp25, Format::kWebp, 25},
});

absl::Status CheckPixels(absl::string_view format, std::span<const std::uint8_t> pixels, int height,
                         int width) {
  CLEAVE_RETURN_IF_ERROR(CheckRange(absl::StrCat(format, " height"), height, 1, kMaxImageSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange(absl::StrCat(format, " width"), width, 1, kMaxImageSide));
  const std::size_t expected = std::size_t{kChannels} * height * width;
  if (pixels.size() == expected) return absl::OkStatus();
  return FieldError(absl::StrCat(format, " of ", width, "x", height),
                    absl::StrCat(pixels.size(), " bytes of RGB"), expected);
}

absl::Status CheckQuality(absl::string_view format, int quality) {
  return CheckRange(absl::StrCat(format, " quality"), quality, 1, 100);
}

absl::StatusOr<PictureFormat> FormatOf(Encoding encoding) {
  const auto found =
      std::find_if(kFormats.begin(), kFormats.end(),
                   [encoding](const PictureFormat& each) { return each.encoding == encoding; });
  if (found != kFormats.end()) return *found;
  const auto name = [](std::string* out, const PictureFormat& each) {
    absl::StrAppend(out, EncodingName(each.encoding));
  };
  return FieldError("picture", absl::StrCat("the encoding ", EncodingName(encoding)),
                    absl::StrCat("one of ", absl::StrJoin(kFormats, " ", name)));
}

}  // namespace

absl::StatusOr<std::string> EncodeJpeg(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality) {
  CLEAVE_RETURN_IF_ERROR(CheckPixels("JPEG", pixels, height, width));
  CLEAVE_RETURN_IF_ERROR(CheckQuality("JPEG", quality));
  return WriteJpeg(pixels.data(), {width, height}, quality);
}

absl::StatusOr<std::string> EncodeWebp(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality) {
  CLEAVE_RETURN_IF_ERROR(CheckPixels("WebP", pixels, height, width));
  CLEAVE_RETURN_IF_ERROR(CheckQuality("WebP", quality));
  return WriteWebp(pixels.data(), {width, height}, quality);
}

absl::StatusOr<std::string> EncodePng(std::span<const std::uint8_t> pixels, int height, int width) {
  CLEAVE_RETURN_IF_ERROR(CheckPixels("PNG", pixels, height, width));
  return WritePng(pixels.data(), {width, height});
}

absl::StatusOr<std::string> EncodeJpeg(const RgbImage& picture, int quality) {
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG height", picture.size.height, 1, kMostJpegSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG width", picture.size.width, 1, kMostJpegSide));
  CLEAVE_RETURN_IF_ERROR(CheckQuality("JPEG", quality));
  return WriteJpeg(picture.rgb.data(), picture.size, quality);
}

absl::StatusOr<TravellingPicture> EncodePicture(absl::string_view file, const Preprocessing& how,
                                                Encoding encoding, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const PictureFormat format, FormatOf(encoding));
  if (format.format == Format::kAsItIs) return TravellingPicture{std::string(file), how};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels, ImageToPixels(file, how, origin));
  TravellingPicture picture{{}, how};
  const auto write = format.format == Format::kJpeg ? WriteJpeg : WriteWebp;
  CLEAVE_ASSIGN_OR_RETURN(picture.file,
                          write(pixels.data(), {how.width, how.height}, format.quality));
  if (how.fit == Preprocessing::Fit::kCrop) picture.how.resize = std::min(how.height, how.width);
  return picture;
}

}  // namespace cleave
