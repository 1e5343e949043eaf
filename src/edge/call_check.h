#ifndef CLEAVE_EDGE_CALL_CHECK_H_
#define CLEAVE_EDGE_CALL_CHECK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "wire/messages.h"

namespace cleave {

// These functions check what a call brings against what a model takes at that place; a dimension of
// -1 depends on the batch. `where` starts every message. InvalidArgument says what was found and
// what was expected.

// The batch size of the tensors, which is the size of the first dimension that the model leaves
// open.
absl::StatusOr<std::int64_t> CheckInputs(const std::string& where,
                                         const std::vector<NamedTensor>& inputs,
                                         const std::vector<TensorSpec>& expected);

// The number of pictures. None is decoded: only their number and what they become are checked.
absl::StatusOr<std::int64_t> CheckPictures(const std::string& where, const InferCall& call,
                                           const std::vector<TensorSpec>& expected);

absl::Status CheckOutputNames(const std::string& where, const std::vector<std::string>& names,
                              const std::vector<TensorSpec>& outputs);

}  // namespace cleave

#endif  // CLEAVE_EDGE_CALL_CHECK_H_
