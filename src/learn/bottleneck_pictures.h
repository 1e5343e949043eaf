#ifndef CLEAVE_LEARN_BOTTLENECK_PICTURES_H_
#define CLEAVE_LEARN_BOTTLENECK_PICTURES_H_

#include <random>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/preprocessing.h"

namespace cleave {

// How a picture is shown: stretched beyond the model's input, by how much in each direction, a part
// of that cut out, and perhaps turned left to right.
struct ShownPart {
  double tall = 1;  // Of the input's sides; at least 1.
  double wide = 1;
  double down = 0;  // Where the part lies in what is beyond: 0 to 1.
  double right = 0;
  bool mirrored = false;
};

// Draws a part; half of them are the whole picture.
ShownPart DrawPart(std::mt19937_64& random);

// Returns the model's input, at batch 1, of a part of a picture's file. The same file and part give
// the same bits on every machine. Errors are those of ReadFile and ImageToPixels. Thread-safe.
absl::StatusOr<Tensor> ShowPicture(const std::string& path, const Preprocessing& how,
                                   const ShownPart& part);

}  // namespace cleave

#endif  // CLEAVE_LEARN_BOTTLENECK_PICTURES_H_
