#ifndef CLEAVE_CORE_SHAPE_FITS_H_
#define CLEAVE_CORE_SHAPE_FITS_H_

#include <algorithm>
#include <cstdint>

#include "cleave/tensor.h"

namespace cleave {

// Says whether a tensor of shape `found` is one of `expected`: they have the same rank, and the
// same size wherever `expected` has one (-1 stands for any).
inline bool ShapeFits(const Shape& expected, const Shape& found) {
  return std::equal(expected.begin(), expected.end(), found.begin(), found.end(),
                    [](std::int64_t a, std::int64_t b) { return a < 0 || a == b; });
}

}  // namespace cleave

#endif  // CLEAVE_CORE_SHAPE_FITS_H_
