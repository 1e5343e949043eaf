#ifndef CLEAVE_DETECT_DETECTION_QUERY_H_
#define CLEAVE_DETECT_DETECTION_QUERY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "codec/rgb_image.h"
#include "detect/detection_head.h"

namespace cleave {

// What is needed to make detections of a model's outputs where these come out, so that a few rows
// travel in place of all scores. A plain value.
struct DetectionQuery {
  DetectionHead head;
  ImageSize input;  // Of the model's input; both sides are at least 1.

  // The names of the outputs that the head needs.
  std::vector<std::string> OutputNames() const;
  // The only output in place of all: the detections as a tensor (detections_tensor.h). The errors
  // are those of DecodeInInput.
  absl::StatusOr<std::vector<NamedTensor>> Answer(const std::vector<NamedTensor>& outputs) const;

  // Reads {"detections": {...}, "input": {"width": 416, "height": 416}, "classes": 80}; the first
  // is as in a sidecar, the last is head.classes and may be missing. InvalidArgument names
  // `origin`, field, what was found and what was expected.
  static absl::StatusOr<DetectionQuery> FromJson(absl::string_view json, const std::string& origin);
  // Returns the JSON that FromJson reads back as the same value, without what is the default.
  std::string ToJson() const;
};

}  // namespace cleave

#endif  // CLEAVE_DETECT_DETECTION_QUERY_H_
