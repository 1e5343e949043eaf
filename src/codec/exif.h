#ifndef CLEAVE_CODEC_EXIF_H_
#define CLEAVE_CODEC_EXIF_H_

#include "absl/strings/string_view.h"
#include "codec/rgb_image.h"

namespace cleave {

// How the rows and columns of a file lie in the upright picture, with the numbers of EXIF's tag
// 0x0112.
enum class Orientation {
  kUpright = 1,
  kMirrored = 2,          // Left and right are exchanged.
  kHalfTurn = 3,          // It has to be turned by 180 degrees.
  kFlipped = 4,           // Top and bottom are exchanged.
  kTransposed = 5,        // Rows and columns are exchanged.
  kQuarterTurn = 6,       // It has to be turned clockwise by 90 degrees.
  kTransversed = 7,       // Rows and columns are exchanged, then it is turned by 180 degrees.
  kThreeQuarterTurn = 8,  // It has to be turned clockwise by 270 degrees.
};

// Whether the upright picture has the file's rows as columns.
bool SwapsSides(Orientation orientation);

// Returns the orientation that EXIF data says (CIPA DC-008: a TIFF file, perhaps with "Exif\0\0"
// before it). Data that is broken or says nothing means kUpright, as other readers have it, since
// no pixel depends on it.
Orientation ReadOrientation(absl::string_view exif);

// Returns the upright picture.
RgbImage MakeUpright(RgbImage stored, Orientation orientation);

}  // namespace cleave

#endif  // CLEAVE_CODEC_EXIF_H_
