#ifndef CLEAVE_CODEC_INPUT_GEOMETRY_H_
#define CLEAVE_CODEC_INPUT_GEOMETRY_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/exif.h"
#include "codec/preprocessing.h"
#include "codec/resample.h"
#include "codec/rgb_image.h"

namespace cleave {

// Where an upright picture lies in a model's input.
struct Placement {
  ImageSize resized;  // The size that the whole picture is resized to.
  Window taken;       // The part of it that the input shows.
  int left = 0;       // The input's first column and row that show it.
  int top = 0;
};

// Returns how `how` places an upright picture of this size. InvalidArgument names `origin` where
// the longer side ends up too short for the crop, or the resized picture would be over
// kMaxImagePixels. REQUIRES: `how` is valid and the sides are at least 1.
absl::StatusOr<Placement> PlacePicture(ImageSize upright, const Preprocessing& how,
                                       const std::string& origin);

// A point of a picture or input in pixels from its left and upper edge: the pixel of column 0 and
// row 0 covers 0 to 1 of both.
struct ImagePoint {
  double x = 0;
  double y = 0;
};

// Maps points of a model's input to points of the picture that the input was made of, as it is
// needed to draw what a detector found: x_picture = scale_x * x_input + offset_x, and y alike. A
// point that shows no picture, as in a letterbox's padding, comes to lie outside of it.
struct InputToPicture {
  double scale_x = 1;
  double scale_y = 1;
  double offset_x = 0;
  double offset_y = 0;
  ImageSize upright;  // Of the upright picture.
  Orientation orientation = Orientation::kUpright;

  // In the upright picture, as viewers show it.
  ImagePoint ToUpright(ImagePoint input) const;
  // In the rows and columns that the file stores, which differ where EXIF says that the picture is
  // rotated.
  ImagePoint ToStored(ImagePoint input) const;
};

// Returns the map for an upright picture of this size. Errors are those of PlacePicture.
absl::StatusOr<InputToPicture> MapInputToPicture(ImageSize upright, const Preprocessing& how,
                                                 const std::string& origin);
// Returns the map for an image file, whose header alone is read. Errors are those of Validate,
// ImageReader::Open and PlacePicture. Thread-safe.
absl::StatusOr<InputToPicture> MapInputToPicture(absl::string_view encoded,
                                                 const Preprocessing& how,
                                                 const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_CODEC_INPUT_GEOMETRY_H_
