#ifndef CLEAVE_POLICY_POLICY_SPEC_H_
#define CLEAVE_POLICY_POLICY_SPEC_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "policy/constraints.h"
#include "policy/policy.h"

namespace cleave {

// The plan that a user fixes: the cut, how its tensors travel, and the exit. A plain value.
struct FixedPlan {
  int cut = 0;
  Encoding encoding = Encoding::kFp32;
  std::optional<int> exit;  // Nothing: the last one of the table.

  // Returns the text that follows "fixed:", as short as possible: "3", "3/q8" or "3/q8/1".
  std::string ToString() const;
};

// Returns a policy that chooses this plan whenever the edge is usable or not needed, and the same
// exit on the device otherwise, or where the table lacks the plan.
std::unique_ptr<Policy> MakeFixedPolicy(FixedPlan plan);

// Makes the policy that `spec` names: "dynamic", "dynamic:means" (which goes by the means of the
// estimates alone where there is a deadline), "device", "edge", "fixed:K[/ENCODING[/EXIT]]" or
// the path of a learned policy's file, which ends in ".onnx" (LoadLearnedPolicy in learned.h, with
// its errors; the digest is that of the network at hand). InvalidArgument lists these forms, names
// an encoding that is not known or that cut K cannot have (a picture's, at a cut above 0), and
// refuses "edge" and "fixed:0" under no_raw_input. The caller has to check whether the table has
// the plan (HasPlan; CheckPlans in learned.h).
absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(absl::string_view spec, Constraints constraints,
                                                   const std::string& model_digest = "");

// Returns the errors of MakePolicy, as far as they show without reading a file.
absl::Status CheckPolicySpec(absl::string_view spec, const Constraints& constraints);

// Returns whether `spec` is the path of a learned policy's file.
bool IsLearnedSpec(absl::string_view spec);

// Returns the plan that "fixed:..." names; nothing for another spec and for a malformed one.
std::optional<FixedPlan> ParseFixedPlan(absl::string_view spec);
// Returns the cut of that plan.
std::optional<int> FixedCut(absl::string_view spec);

// Returns whether the table has the plan.
bool HasPlan(const PlanTable& table, const FixedPlan& plan);

}  // namespace cleave

#endif  // CLEAVE_POLICY_POLICY_SPEC_H_
