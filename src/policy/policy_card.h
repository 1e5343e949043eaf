#ifndef CLEAVE_POLICY_POLICY_CARD_H_
#define CLEAVE_POLICY_POLICY_CARD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/plan.h"
#include "policy/algorithm.h"

namespace cleave {

// A learned policy is a small ONNX file (docs/sacd.md): inputs `state` [1, S], `plans` [1, A, P]
// and `valid` [1, A] (FP32), output `scores` [1, A], of which the greatest valid one is taken. The
// normalization is part of the graph. The card, which says what the policy was made for, is JSON
// under this key of the file's metadata.
inline constexpr char kPolicyCardKey[] = "cleave.policy";

struct PolicyCard {
  static constexpr std::size_t kMaxEnvironmentBytes = 256;

  int feature_version = 0;
  Algorithm algorithm = Algorithm::kSacd;
  std::string model_digest;  // The digest of the network whose plans these are.
  std::vector<Plan> plans;   // There are A of them.
  // The range of each of the S state features in training: its 1st and 99th percentile.
  std::vector<float> state_low, state_high;
  std::uint64_t seed = 0;
  std::int64_t steps = 0;   // The decisions that it was trained on.
  std::string environment;  // The environment file that it was trained in, or several.

  // Checks the fields by docs/policy-format.md. InvalidArgument names the field, what was found and
  // what was expected.
  absl::Status Validate() const;

  std::string ToJson() const;
  // InvalidArgument names origin and field, what was found and what was expected. The feature
  // version may be any: the loader checks whether this program computes these features.
  static absl::StatusOr<PolicyCard> FromJson(const std::string& text, const std::string& origin);
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_POLICY_CARD_H_
