#include "codec/exif.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/strip.h"

namespace cleave {
namespace {

// A TIFF file of either byte order.
class TiffReader {
 public:
  explicit TiffReader(absl::string_view bytes)
      : bytes_(bytes), big_endian_(bytes.substr(0, 2) == "MM") {}

  std::optional<unsigned> Number(std::size_t at, int size) const {
    if (at > bytes_.size() || bytes_.size() - at < static_cast<std::size_t>(size)) {
      return std::nullopt;
    }
    unsigned number = 0;
    for (int i = 0; i < size; ++i) {
      const int place = big_endian_ ? size - 1 - i : i;
      number |= unsigned{static_cast<unsigned char>(bytes_[at + i])} << 8 * place;
    }
    return number;
  }

 private:
  absl::string_view bytes_;
  bool big_endian_;
};

constexpr unsigned kOrientationTag = 0x0112;
constexpr unsigned kShortType = 3;

// Where the pixel (0, 0) of the upright picture lies in the file, and how many pixels further the
// next one of its row and of its column is.
struct Steps {
  std::ptrdiff_t first;
  std::ptrdiff_t column;
  std::ptrdiff_t row;
};

Steps StepsOf(Orientation orientation, ImageSize stored) {
  const std::ptrdiff_t width = stored.width;
  const std::ptrdiff_t height = stored.height;
  const std::ptrdiff_t last = width * height - 1;
  switch (orientation) {
    case Orientation::kUpright:
      break;
    case Orientation::kMirrored:
      return {width - 1, -1, width};
    case Orientation::kHalfTurn:
      return {last, -1, -width};
    case Orientation::kFlipped:
      return {width * (height - 1), 1, -width};
    case Orientation::kTransposed:
      return {0, width, 1};
    case Orientation::kQuarterTurn:
      return {width * (height - 1), -width, 1};
    case Orientation::kTransversed:
      return {last, -width, -1};
    case Orientation::kThreeQuarterTurn:
      return {width - 1, width, -1};
  }
  return {0, 1, width};
}

}  // namespace

bool SwapsSides(Orientation orientation) { return orientation >= Orientation::kTransposed; }

Orientation ReadOrientation(absl::string_view exif) {
  constexpr std::size_t kEntryBytes = 12;
  absl::ConsumePrefix(&exif, absl::string_view("Exif\0\0", 6));
  const absl::string_view order = exif.substr(0, 2);
  if (order != "MM" && order != "II") return Orientation::kUpright;
  const TiffReader tiff(exif);
  const std::optional<unsigned> directory = tiff.Number(4, 4);
  if (tiff.Number(2, 2) != 42U || !directory) return Orientation::kUpright;
  const std::size_t entries = tiff.Number(*directory, 2).value_or(0);
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t entry = *directory + 2 + kEntryBytes * i;
    const std::optional<unsigned> tag = tiff.Number(entry, 2);
    if (!tag) break;
    if (tag != kOrientationTag) continue;
    const unsigned value = tiff.Number(entry + 8, 2).value_or(0);
    if (tiff.Number(entry + 2, 2) != kShortType || value < 1 || value > 8) break;
    return static_cast<Orientation>(value);
  }
  return Orientation::kUpright;
}

RgbImage MakeUpright(RgbImage stored, Orientation orientation) {
  constexpr int kChannels = RgbImage::kChannels;
  if (orientation == Orientation::kUpright) return stored;
  const ImageSize size = stored.size;
  RgbImage upright(SwapsSides(orientation) ? ImageSize{size.height, size.width} : size);
  const Steps steps = StepsOf(orientation, size);
  std::uint8_t* to = upright.rgb.data();
  for (int y = 0; y < upright.size.height; ++y) {
    const std::uint8_t* from = stored.rgb.data() + kChannels * (steps.first + steps.row * y);
    for (int x = 0; x < upright.size.width; ++x) {
      std::memcpy(to, from + kChannels * steps.column * x, kChannels);
      to += kChannels;
    }
  }
  return upright;
}

}  // namespace cleave
