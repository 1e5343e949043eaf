#ifndef CLEAVE_FIT_COEFFICIENT_FIT_H_
#define CLEAVE_FIT_COEFFICIENT_FIT_H_

#include <vector>

#include "codec/coefficient_coder.h"

namespace cleave {

// What is added to a size in steps before it is cut off to a level: less than a half, so that what
// is nearly nothing becomes nothing.
inline constexpr float kDeadZoneRounding = 0.4F;

// The components of one item, [block][band][component], as TensorCodec::Project gives them with a
// scale of 1.
struct FittedItem {
  int rows = 0;  // Of blocks.
  int columns = 0;
  std::vector<float> components;
};

// Fits how coefficients are coded at one step. First, each is rounded with a dead zone; then
// the expected magnitude is fitted as a product of powers of what is around a coefficient (a
// Poisson regression for each band), which gives its context, and tables are made for the contexts;
// then all that is done again with the levels that the encoder chooses by these tables. REQUIRES:
// there is an item, `bands` is 1 or 16, and all have components for each of the bands.
CoefficientModel FitCoefficientModel(const std::vector<FittedItem>& items, int bands,
                                     int components, float step, float lambda);

}  // namespace cleave

#endif  // CLEAVE_FIT_COEFFICIENT_FIT_H_
