#ifndef CLEAVE_DETECT_GRID_H_
#define CLEAVE_DETECT_GRID_H_

#include <cstdint>

#include "codec/rgb_image.h"

namespace cleave {

// The points of one stride of an anchor-free head over a model's input, row by row.
struct Grid {
  int stride = 1;
  std::int64_t columns = 0;
  std::int64_t rows = 0;

  // A grid that covers the input; its last cells may reach over the edge.
  static Grid Over(ImageSize input, int stride) {
    return {stride, (input.width + stride - 1) / stride, (input.height + stride - 1) / stride};
  }
  std::int64_t points() const { return columns * rows; }
};

}  // namespace cleave

#endif  // CLEAVE_DETECT_GRID_H_
