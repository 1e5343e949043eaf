#include "codec/input_geometry.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "codec/image_reader.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

std::string Text(ImageSize size) { return absl::StrCat(size.width, "x", size.height); }

absl::StatusOr<Placement> Crop(ImageSize upright, const Preprocessing& how,
                               const std::string& origin) {
  const std::int64_t shorter = std::min(upright.width, upright.height);
  const std::int64_t target = how.shorter_side();
  const std::int64_t width = target * upright.width / shorter;
  const std::int64_t height = target * upright.height / shorter;
  if (width * height > kMaxImagePixels) {
    return FieldError(origin, absl::StrCat(Text(upright), " resized to ", width, "x", height),
                      absl::StrCat("at most ", kMaxImagePixels, " pixels"));
  }
  Placement place;
  place.resized = {static_cast<int>(width), static_cast<int>(height)};
  if (width < how.width || height < how.height) {
    return FieldError(origin,
                      absl::StrCat("an image of ", Text(upright), ", ", Text(place.resized),
                                   " with its shorter side at ", target),
                      absl::StrCat("at least ", how.width, "x", how.height, " for the crop"));
  }
  place.taken = {(place.resized.width - how.width + 1) / 2,
                 (place.resized.height - how.height + 1) / 2,
                 {how.width, how.height}};
  return place;
}

// Rounds `side` x `to` / `from`; no side vanishes.
int Scaled(int side, int to, int from) {
  const std::int64_t twice = 2 * std::int64_t{side} * to + from;
  return std::max(1, static_cast<int>(twice / (2 * std::int64_t{from})));
}

Placement Letterbox(ImageSize upright, const Preprocessing& how) {
  const bool wide =
      std::int64_t{upright.width} * how.height > std::int64_t{upright.height} * how.width;
  Placement place;
  place.resized = wide ? ImageSize{how.width, Scaled(upright.height, how.width, upright.width)}
                       : ImageSize{Scaled(upright.width, how.height, upright.height), how.height};
  place.taken.size = place.resized;
  place.left = (how.width - place.resized.width) / 2;
  place.top = (how.height - place.resized.height) / 2;
  return place;
}

}  // namespace

absl::StatusOr<Placement> PlacePicture(ImageSize upright, const Preprocessing& how,
                                       const std::string& origin) {
  switch (how.fit) {
    case Preprocessing::Fit::kCrop:
      return Crop(upright, how, origin);
    case Preprocessing::Fit::kLetterbox:
      return Letterbox(upright, how);
    case Preprocessing::Fit::kStretch:
      break;
  }
  Placement place;
  place.resized = place.taken.size = {how.width, how.height};
  return place;
}

ImagePoint InputToPicture::ToUpright(ImagePoint input) const {
  return {scale_x * input.x + offset_x, scale_y * input.y + offset_y};
}

ImagePoint InputToPicture::ToStored(ImagePoint input) const {
  const auto [x, y] = ToUpright(input);
  const ImageSize& size = upright;
  switch (orientation) {
    case Orientation::kUpright:
      break;
    case Orientation::kMirrored:
      return {size.width - x, y};
    case Orientation::kHalfTurn:
      return {size.width - x, size.height - y};
    case Orientation::kFlipped:
      return {x, size.height - y};
    case Orientation::kTransposed:
      return {y, x};
    case Orientation::kQuarterTurn:
      return {y, size.width - x};
    case Orientation::kTransversed:
      return {size.height - y, size.width - x};
    case Orientation::kThreeQuarterTurn:
      return {size.height - y, x};
  }
  return {x, y};
}

absl::StatusOr<InputToPicture> MapInputToPicture(ImageSize upright, const Preprocessing& how,
                                                 const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const Placement place, PlacePicture(upright, how, origin));
  InputToPicture map;
  map.upright = upright;
  map.scale_x = static_cast<double>(upright.width) / place.resized.width;
  map.scale_y = static_cast<double>(upright.height) / place.resized.height;
  map.offset_x = map.scale_x * (place.taken.left - place.left);
  map.offset_y = map.scale_y * (place.taken.top - place.top);
  return map;
}

absl::StatusOr<InputToPicture> MapInputToPicture(absl::string_view encoded,
                                                 const Preprocessing& how,
                                                 const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(how.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> reader,
                          ImageReader::Open(encoded, origin));
  CLEAVE_ASSIGN_OR_RETURN(InputToPicture map,
                          MapInputToPicture(reader->header().upright(), how, origin));
  map.orientation = reader->header().orientation;
  return map;
}

}  // namespace cleave
