#ifndef CLEAVE_DEVICE_REPLY_CHECK_H_
#define CLEAVE_DEVICE_REPLY_CHECK_H_

#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "device/local_model.h"

namespace cleave {

// The exit's outputs in the file's order, out of what the head gave early and what the edge
// answered to inputs of these shapes. The edge is not trusted: DataLoss names the output that is
// missing, of another type, or of a shape that it cannot have. What shape it can have is what ONNX
// Runtime infers, and what a run at the same shapes has shown where it cannot be otherwise; what
// the file declares may be wrong. Tensors that nobody asked for are dropped.
absl::StatusOr<std::vector<NamedTensor>> AssembleOutputs(const LocalExit& exit,
                                                         const InputShapes& shapes,
                                                         const std::vector<NamedTensor>& early,
                                                         const std::vector<NamedTensor>& remote);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_REPLY_CHECK_H_
