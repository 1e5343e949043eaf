#include "learn/bottleneck_pictures.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "codec/image.h"
#include "codec/picture_folders.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr double kMostStretch = 1.5;
constexpr std::size_t kColours = 3;

double Uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11) * 0x1p-53; }

// The part of `pixels`, which are of the size in `from`, that is of the size in `how`.
std::vector<std::uint8_t> CutOut(const std::vector<std::uint8_t>& pixels, const Preprocessing& from,
                                 const Preprocessing& how, const ShownPart& part) {
  const auto place = [](double share, int beyond) {
    return static_cast<std::size_t>(std::lround(share * beyond));
  };
  const std::size_t top = place(part.down, from.height - how.height);
  const std::size_t left = place(part.right, from.width - how.width);
  const auto width = static_cast<std::size_t>(how.width);
  std::vector<std::uint8_t> cut(static_cast<std::size_t>(how.height) * width * kColours);
  for (std::size_t y = 0; y < static_cast<std::size_t>(how.height); ++y) {
    const std::uint8_t* row =
        pixels.data() + ((top + y) * static_cast<std::size_t>(from.width) + left) * kColours;
    for (std::size_t x = 0; x < width; ++x) {
      const std::size_t at = part.mirrored ? width - 1 - x : x;
      std::memcpy(&cut[(y * width + x) * kColours], row + at * kColours, kColours);
    }
  }
  return cut;
}

}  // namespace

ShownPart DrawPart(std::mt19937_64& random) {
  ShownPart part;
  part.mirrored = random() % 2 == 1;
  if (random() % 2 == 1) return part;
  part.tall = 1 + (kMostStretch - 1) * Uniform(random);
  part.wide = 1 + (kMostStretch - 1) * Uniform(random);
  part.down = Uniform(random);
  part.right = Uniform(random);
  return part;
}

absl::StatusOr<Tensor> ShowPicture(const std::string& path, const Preprocessing& how,
                                   const ShownPart& part) {
  Preprocessing larger = how;
  larger.height = static_cast<int>(std::lround(how.height * part.tall));
  larger.width = static_cast<int>(std::lround(how.width * part.wide));
  if (how.fit == Preprocessing::Fit::kCrop) {
    larger.resize =
        static_cast<int>(std::ceil(how.shorter_side() * std::max(part.tall, part.wide)));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, ReadFile(path, kMaxPictureBytes));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<std::uint8_t> pixels,
                          ImageToPixels(file, larger, path));
  return PixelsToTensor(CutOut(pixels, larger, how, part), how);
}

}  // namespace cleave
