#ifndef CLEAVE_POLICY_LEARNED_H_
#define CLEAVE_POLICY_LEARNED_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "policy/policy.h"
#include "policy/policy_card.h"

namespace cleave {

// Runs a learned policy's ONNX file (src/policy/policy_card.h). Where an observation lies far
// outside what it was trained on, or where its choice is predicted to miss a deadline that another
// plan meets, the exact search (MakeDynamicPolicy) decides, and the decision's reason says so
// (kUnfamiliar, kGuarded).
//
// FailedPrecondition for a file of another model or of other features; InvalidArgument for one that
// is no policy or malformed; the message names file, field, what was found and what was expected.
absl::StatusOr<std::unique_ptr<Policy>> LoadLearnedPolicy(const std::string& path,
                                                          const std::string& model_digest,
                                                          const Constraints& constraints);

// Of a file, without its model.
absl::StatusOr<PolicyCard> ReadPolicyCard(const std::string& path);

}  // namespace cleave

#endif  // CLEAVE_POLICY_LEARNED_H_
