#ifndef CLEAVE_CORE_DISTORTION_H_
#define CLEAVE_CORE_DISTORTION_H_

#include <vector>

#include "cleave/tensor.h"

namespace cleave {

// How far a model's outputs are from what they should be.
struct Distortion {
  double squared = 0;  // The squared length of the change (app/output_metric.h says of what).
  // What adding to each element of an output would add to it: FP32, of the outputs' names and
  // shapes. Outputs without a tensor do not count.
  std::vector<NamedTensor> gradient;
};

}  // namespace cleave

#endif  // CLEAVE_CORE_DISTORTION_H_
