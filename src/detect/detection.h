#ifndef CLEAVE_DETECT_DETECTION_H_
#define CLEAVE_DETECT_DETECTION_H_

namespace cleave {

// A box by its left, upper, right and lower edge, in pixels from the left and upper edge of what it
// lies in: the pixel of column 0 and row 0 covers 0 to 1 of both.
struct Box {
  double x0 = 0;
  double y0 = 0;
  double x1 = 0;
  double y1 = 0;
};

// One object that a detector found in a picture.
struct Detection {
  Box box;              // In the upright picture, within its edges, with an area above 0.
  int class_index = 0;  // In the list of the classes' names, at least 0.
  double score = 0;     // 0 to 1.
};

}  // namespace cleave

#endif  // CLEAVE_DETECT_DETECTION_H_
