#ifndef CLEAVE_DETECT_DECODE_H_
#define CLEAVE_DETECT_DECODE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/input_geometry.h"
#include "detect/detection.h"
#include "detect/detection_head.h"

namespace cleave {

// What a detector was given: the size of the model's input, and how the points of it lie in the
// picture of each item of the batch.
struct DetectionInput {
  ImageSize size;
  std::vector<InputToPicture> pictures;
};

// Returns the detections of each item, highest score first; of equal scores the earlier row first.
// Boxes come in pixels of the upright picture and are cut off at its edges.
//
// Outputs may come from an edge that is not trusted: whatever is no number or infinite, a box
// without width or height or outside of the picture, a score outside of 0 to 1 and a label that is
// no whole number from first_class on is left out. Of one item the 4096 highest scores at most are
// looked at, so that no output takes long. InvalidArgument names the output that is missing or
// whose type or shape is not that of the head, which includes another batch size than that of
// `input` and another number of classes than head.classes. REQUIRES: `head` is valid; the sides of
// the input and of its pictures are at least 1. Thread-safe.
absl::StatusOr<std::vector<std::vector<Detection>>> Decode(const std::vector<NamedTensor>& outputs,
                                                           const DetectionHead& head,
                                                           const DetectionInput& input);

}  // namespace cleave

#endif  // CLEAVE_DETECT_DECODE_H_
