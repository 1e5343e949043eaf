#ifndef CLEAVE_POLICY_LEARNED_H_
#define CLEAVE_POLICY_LEARNED_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "policy/constraints.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/policy_card.h"

namespace cleave {

// A policy that runs a learned policy's ONNX file (src/policy/policy_card.h). Where an observation
// lies far outside what it was trained on, or where its choice is predicted to miss a deadline that
// another plan meets, the exact search (MakeDynamicPolicy) decides, and the decision's reason says
// so (kUnfamiliar, kGuarded). Far outside: a state feature is below or above its range in training
// by more than kUnfamiliarShare of the range's width and more than its StateFeatureSlack. A table
// in which none of the policy's plans stays on the device is unfamiliar too, and so is an
// observation for which the file gives a valid plan a score that is not finite. With no edge to
// send to, the reason is kEdgeUnusable, whoever decided.
//
// FailedPrecondition for a file of another model or of other features; InvalidArgument for one that
// is no policy or malformed; the message names file, field, what was found and what was expected.
absl::StatusOr<std::unique_ptr<Policy>> LoadLearnedPolicy(const std::string& path,
                                                          const std::string& model_digest,
                                                          const Constraints& constraints);

inline constexpr double kUnfamiliarShare = 0.5;

// Reads the card of a policy's file, without its network.
absl::StatusOr<PolicyCard> ReadPolicyCard(const std::string& path);

// FailedPrecondition, with the first plan that is missing, unless the table has all plans of the
// card and one of them stays on the device: the policy was trained on other cuts or encodings.
// `origin` names the policy.
absl::Status CheckPlans(const PolicyCard& card, const PlanTable& table, const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_POLICY_LEARNED_H_
