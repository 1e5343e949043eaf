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

// What a call brings against what a model takes there; -1 is a dimension that depends on the batch.
// `where` starts every message. InvalidArgument says what was found and what was expected.

// The batch of the tensors: along the first dimension that the model leaves open.
absl::StatusOr<std::int64_t> CheckInputs(const std::string& where,
                                         const std::vector<NamedTensor>& inputs,
                                         const std::vector<TensorSpec>& expected);

// The number of pictures. Decodes none: only how many there are and what they become.
absl::StatusOr<std::int64_t> CheckPictures(const std::string& where, const InferCall& call,
                                           const std::vector<TensorSpec>& expected);

absl::Status CheckOutputNames(const std::string& where, const std::vector<std::string>& names,
                              const std::vector<TensorSpec>& outputs);

}  // namespace cleave

#endif  // CLEAVE_EDGE_CALL_CHECK_H_
