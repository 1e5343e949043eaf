#ifndef CLEAVE_DETECT_DETECTION_H_
#define CLEAVE_DETECT_DETECTION_H_

#include <vector>

namespace cleave {

// A box by its left, upper, right and lower edge, in pixels from the left and upper edge of what it
// lies in: the pixel of column 0 and row 0 covers 0 to 1 of both.
struct Box {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
};

// One object that a detector found.
struct Detection {
  // With an area above 0. In the upright picture it lies within the edges; in the model's input,
  // where that is said, it may reach beyond them.
  Box box;
  int class_index = 0;  // In the list of the classes' names, at least 0.
  double score = 0;     // 0 to 1.
};

// The detections of each item of a batch, highest score first.
using BatchDetections = std::vector<std::vector<Detection>>;

}  // namespace cleave

#endif  // CLEAVE_DETECT_DETECTION_H_
