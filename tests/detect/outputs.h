#ifndef CLEAVE_TESTS_DETECT_OUTPUTS_H_
#define CLEAVE_TESTS_DETECT_OUTPUTS_H_

#include <string>
#include <utility>
#include <vector>

#include "cleave/tensor.h"
#include "detect/decode.h"

namespace cleave::testing {

inline NamedTensor Output(const std::string& name, Shape shape, std::vector<float> values) {
  return {name, Tensor::FromFloats(std::move(shape), std::move(values)).value()};
}

// A batch of pictures of the size of the input.
inline DetectionInput SameSize(int width, int height, std::size_t items = 1) {
  InputToPicture map;
  map.upright = {width, height};
  return {{width, height}, std::vector<InputToPicture>(items, map)};
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_DETECT_OUTPUTS_H_
