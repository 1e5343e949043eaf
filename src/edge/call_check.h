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
// -1 may have any size. `where` starts every message. InvalidArgument says what was found and
// what was expected.

// How much a call brings.
struct CallSize {
  std::int64_t batch = 1;     // The first dimension of the first tensor whose own is free, or 1.
  std::int64_t elements = 0;  // Of all tensors.
};

// `needed` is what the cut takes; the model has the inputs `unused` as well, but they may be left
// out.
absl::StatusOr<CallSize> CheckInputs(const std::string& where,
                                     const std::vector<TensorSpec>& inputs,
                                     const std::vector<TensorSpec>& needed,
                                     const std::vector<TensorSpec>& unused);

// None of the pictures is decoded: only their number and what they become are checked.
absl::StatusOr<CallSize> CheckPictures(const std::string& where, const InferCall& call,
                                       const std::vector<TensorSpec>& expected);

absl::Status CheckOutputNames(const std::string& where, const std::vector<std::string>& names,
                              const std::vector<TensorSpec>& outputs);

}  // namespace cleave

#endif  // CLEAVE_EDGE_CALL_CHECK_H_
