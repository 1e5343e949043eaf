#ifndef CLEAVE_DEVICE_REPLY_CHECK_H_
#define CLEAVE_DEVICE_REPLY_CHECK_H_

#include <vector>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "model/cuts.h"

namespace cleave {

// The model's outputs in the file's order, out of what the head gave early and what the edge
// answered. The edge is not trusted: DataLoss names the output that is missing, of another type, or
// of a shape that it cannot have at this batch size. Tensors that nobody asked for are dropped.
absl::StatusOr<std::vector<NamedTensor>> AssembleOutputs(const std::vector<TensorSpec>& specs,
                                                         const CutTable& table, std::int64_t batch,
                                                         const std::vector<NamedTensor>& early,
                                                         const std::vector<NamedTensor>& remote);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_REPLY_CHECK_H_
