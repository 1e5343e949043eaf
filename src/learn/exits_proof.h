#ifndef CLEAVE_LEARN_EXITS_PROOF_H_
#define CLEAVE_LEARN_EXITS_PROOF_H_

#include <span>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/tensor.h"
#include "learn/exit_heads.h"

namespace cleave {

// What is to be so of a model that was given exits, on one batch.

// Internal, naming the output, where `found` is not `expected`, bit for bit.
absl::Status CheckSameOutputs(std::span<const NamedTensor> expected,
                              std::span<const NamedTensor> found);

// Returns by how much `logits` differ at most from what the head makes of the features (row by
// row), as a share of the row's largest logit where that is above 1. Internal for more than 1e-4
// and for logits of another shape.
absl::StatusOr<double> CheckLogits(const LinearHead& head, std::span<const float> features,
                                   const NamedTensor& logits);

}  // namespace cleave

#endif  // CLEAVE_LEARN_EXITS_PROOF_H_
