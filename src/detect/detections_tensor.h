#ifndef CLEAVE_DETECT_DETECTIONS_TENSOR_H_
#define CLEAVE_DETECT_DETECTIONS_TENSOR_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "detect/detection.h"

namespace cleave {

// Detections as a tensor, which is what travels in place of a detector's outputs: FP32 [R, 7], a
// row for each detection, item after item, in the order that the items have them. The columns are
// the item's index in the batch, the class's index, the score, and the left, upper, right and lower
// edge of the box in pixels of the model's input (docs/detection.md).

// The name of the output that holds such a tensor.
inline constexpr char kDetectionsOutput[] = "detections";
inline constexpr std::int64_t kDetectionColumns = 7;

// Scores and edges are rounded to FP32; a box that has no area then, or no end, is left out.
Tensor DetectionsTensor(const BatchDetections& found);

// Returns the detections of each of `items` items. The tensor may come from an edge that is not
// trusted: InvalidArgument names the row and column, what was found and what was expected, where it
// is of another type or shape, has more rows than kMostDetections for each item, an item out of
// order, an index that is no whole number, a score outside of 0 to 1, or a box without an area.
absl::StatusOr<BatchDetections> DetectionsOf(const Tensor& tensor, std::int64_t items);

}  // namespace cleave

#endif  // CLEAVE_DETECT_DETECTIONS_TENSOR_H_
