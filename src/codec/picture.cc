#include "codec/picture.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/jpeg_writer.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr int kChannels = 3;
constexpr int kMostJpegSide = 65500;

// Returns 0 for the file that is sent unchanged.
absl::StatusOr<int> QualityOf(Encoding encoding) {
  switch (encoding) {
    case Encoding::kJpeg:
      return 0;
    case Encoding::kJpeg90:
      return 90;
    case Encoding::kJpeg75:
      return 75;
    case Encoding::kJpeg50:
      return 50;
    default:
      return FieldError("picture", absl::StrCat("the encoding ", EncodingName(encoding)),
                        "jpeg, jpeg90, jpeg75 or jpeg50");
  }
}

}  // namespace

absl::StatusOr<std::string> EncodeJpeg(std::span<const std::uint8_t> pixels, int height, int width,
                                       int quality) {
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG height", height, 1, kMaxImageSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG width", width, 1, kMaxImageSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG quality", quality, 1, 100));
  const std::size_t expected = std::size_t{kChannels} * height * width;
  if (pixels.size() != expected) {
    return FieldError(absl::StrCat("JPEG of ", width, "x", height),
                      absl::StrCat(pixels.size(), " bytes of RGB"), expected);
  }
  return WriteJpeg(pixels.data(), {width, height}, quality);
}

absl::StatusOr<std::string> EncodeJpeg(const RgbImage& picture, int quality) {
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG height", picture.size.height, 1, kMostJpegSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG width", picture.size.width, 1, kMostJpegSide));
  CLEAVE_RETURN_IF_ERROR(CheckRange("JPEG quality", quality, 1, 100));
  return WriteJpeg(picture.rgb.data(), picture.size, quality);
}

absl::StatusOr<TravellingPicture> EncodePicture(absl::string_view file, const Preprocessing& how,
                                                Encoding encoding, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const int quality, QualityOf(encoding));
  if (quality == 0) return TravellingPicture{std::string(file), how};
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels, ImageToPixels(file, how, origin));
  TravellingPicture picture{{}, how};
  CLEAVE_ASSIGN_OR_RETURN(picture.file, EncodeJpeg(pixels, how.height, how.width, quality));
  if (how.fit == Preprocessing::Fit::kCrop) picture.how.resize = std::min(how.height, how.width);
  return picture;
}

}  // namespace cleave
