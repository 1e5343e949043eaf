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

// What a user fixes: the cut, how its tensors travel, and the exit. Plain data.
struct FixedPlan {
  int cut = 0;
  Encoding encoding = Encoding::kFp32;
  std::optional<int> exit;  // Nothing: the last one, which is the largest of the table.

  // "3", "3/q8" or "3/q8/1": what "fixed:" is followed by, without what is not needed.
  std::string ToString() const;
};

// This plan whenever the edge is usable or not needed; the same exit on the device otherwise, or
// where the table lacks the plan.
std::unique_ptr<Policy> MakeFixedPolicy(FixedPlan plan);

// "dynamic", "device", "edge", "fixed:K[/ENCODING[/EXIT]]" or the path of a learned policy's file,
// which ends in ".onnx" (LoadLearnedPolicy in learned.h, with its errors; the digest is that of the
// network at hand). InvalidArgument lists them, names an encoding that is not known or that cut K
// cannot have (a picture's, at a cut above 0), and refuses "edge" and "fixed:0" under no_raw_input.
// A plan outside the table is the caller's to check (HasPlan; CheckPlans in learned.h).
absl::StatusOr<std::unique_ptr<Policy>> MakePolicy(absl::string_view spec, Constraints constraints,
                                                   const std::string& model_digest = "");

// The errors of MakePolicy as far as they show without a file.
absl::Status CheckPolicySpec(absl::string_view spec, const Constraints& constraints);

// Whether it is the path of a learned policy's file.
bool IsLearnedSpec(absl::string_view spec);

// What "fixed:..." names; else, and where it is malformed, nothing.
std::optional<FixedPlan> ParseFixedPlan(absl::string_view spec);
// Its cut alone.
std::optional<int> FixedCut(absl::string_view spec);

bool HasPlan(const PlanTable& table, const FixedPlan& plan);

}  // namespace cleave

#endif  // CLEAVE_POLICY_POLICY_SPEC_H_
