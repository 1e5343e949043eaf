#ifndef CLEAVE_DETECT_DECODE_H_
#define CLEAVE_DETECT_DECODE_H_

#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/input_geometry.h"
#include "codec/rgb_image.h"
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
// Boxes come in pixels of the model's input of the size `input`, and may reach beyond its edges.
//
// Outputs may come from an edge that is not trusted: whatever is no number or infinite, a box
// without width or height, a score outside of 0 to 1 and a label that is no whole number from
// first_class on is left out. Of one item the 4096 highest scores at most are looked at, so that no
// output takes long. InvalidArgument names the output that is missing or whose type or shape is not
// that of the head, which includes another number of classes than head.classes. REQUIRES: `head` is
// valid and the sides of the input are at least 1. Thread-safe.
absl::StatusOr<BatchDetections> DecodeInInput(const std::vector<NamedTensor>& outputs,
                                              const DetectionHead& head, ImageSize input);

// Returns the same detections with their boxes in pixels of the upright pictures, cut off at the
// edges of these; a box that shows nothing of its picture is left out. InvalidArgument where there
// is not one picture for each item. REQUIRES: the sides of the pictures are at least 1.
absl::StatusOr<BatchDetections> InPictures(const BatchDetections& in_input,
                                           const std::vector<InputToPicture>& pictures);

// Does both. The errors and requirements are those of the two.
absl::StatusOr<BatchDetections> Decode(const std::vector<NamedTensor>& outputs,
                                       const DetectionHead& head, const DetectionInput& input);

}  // namespace cleave

#endif  // CLEAVE_DETECT_DECODE_H_
