#ifndef CLEAVE_DETECT_MODEL_HEAD_H_
#define CLEAVE_DETECT_MODEL_HEAD_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "codec/rgb_image.h"
#include "detect/detection_head.h"

namespace cleave {

// The head of outputs whose names or shapes say everything, of a model whose input is a picture of
// this size; nothing where they may be something else. Thread-safe.
std::optional<DetectionHead> UnmistakableHead(const std::vector<TensorSpec>& outputs,
                                              ImageSize input);

// How the outputs of the model at this path become detections: as its sidecar says, else as they
// unmistakably look, where the model's input is a picture of the size `input`. Nothing for a model
// that is no detector. Errors are those of DetectionHead::OfModel.
absl::StatusOr<std::optional<DetectionHead>> FindHead(const std::string& model_path,
                                                      const std::vector<TensorSpec>& outputs,
                                                      std::optional<ImageSize> input);

}  // namespace cleave

#endif  // CLEAVE_DETECT_MODEL_HEAD_H_
