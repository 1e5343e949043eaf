#ifndef CLEAVE_POLICY_POLICY_H_
#define CLEAVE_POLICY_POLICY_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

// Why a policy chose a plan.
enum class Reason : std::uint8_t {
  kFastest,       // Its predicted time is the least.
  kFixed,         // The user fixed it.
  kEdgeUnusable,  // There is no edge to send to.
  kOnlyOneLeft,   // The constraints leave nothing else.
  kMostAccurate,  // It is the most accurate that is predicted to meet the deadline.
  kNoneInTime,    // No plan above the bar is predicted to meet the deadline; it comes nearest.
  kLearned,       // A learned policy chose it.
  kUnfamiliar,    // The exact search chose it, since the observation is far from the training data.
  kGuarded,       // The exact search chose it, since the learned choice would miss the deadline.
  kRandom,        // It was drawn at random.
  kThroughput,    // It gives the most inferences in a second.
};
// Returns the name of a reason in records and reports.
absl::string_view ReasonName(Reason reason);

// What a policy chose, and why.
struct Decision {
  int index = 0;  // An index into PlanTable::plans.
  double predicted_us = 0;
  Reason reason = Reason::kFastest;
  bool entropy = false;  // Whether to compress what is sent, since the predicted time falls.
  // With kUnfamiliar: the first state feature that lies too far outside the training data; empty
  // where the reason is another.
  absl::string_view feature = {};
};

// Chooses a plan for an observation. Decide is pure and fast: it has no clock, no I/O and no
// allocation (but for what ONNX Runtime does inside a learned policy, and the state of the random
// one). Thread-safe.
class Policy {
 public:
  virtual ~Policy() = default;
  // Returns the name of the policy in reports; it lives as long as the policy.
  virtual absl::string_view name() const = 0;
  // REQUIRES: table.plans is not empty and ends with the plan that stays on the device.
  virtual Decision Decide(const PlanTable& table, const Observation& observation) const = 0;
};

// How the exact search chooses where there is a deadline.
enum class DeadlineRule : std::uint8_t {
  // The greatest expected reward: the plan's accuracy, less kMissPenalty times the chance that it
  // comes after the deadline (LateChance), by the spread of every estimate. Chances below
  // kLeastMissChance count as none, since no estimate knows them.
  kExpectedReward,
  // The most accurate plan whose predicted time is within the deadline (Edgent's problem, arXiv
  // 1806.07840), however close to it.
  kByMeans,
};
// A late answer costs as much as a wrong one would gain: the reward's weight (docs/sacd.md).
inline constexpr double kMissPenalty = 1;
inline constexpr double kLeastMissChance = 1e-3;

// Dynamic split computing (Bakhtiarnia et al., arXiv 2205.11269): argmin of head + encode +
// bytes / rate + RTT + queue + tail over the candidates; of equals the one with fewer bytes. Bytes
// far beyond what the rate was tried with count double in every comparison, also with the deadline,
// not in `predicted_us`.
//
// Without a deadline: the fastest plan above the bar of accuracy, or the one of the most throughput
// where that is the objective (Objective::kThroughput, Constraints::max_latency_us); no plan gives
// more than max_in_flight inferences within its time. With a deadline: the best plan above the
// bar by `rule`, of equals the fastest; where none is likely to meet the deadline at all, the
// fastest above the bar. The search is exact: every plan counts. A table that is not calibrated
// knows exact plans only, which are equally accurate. Where the limits leave nothing, plans that
// stay on the device may take longer than `max_device_us`; where the bar leaves none of these
// either, it is the table's last plan.
// REQUIRES: constraints.Validate() is OK.
std::unique_ptr<Policy> MakeDynamicPolicy(Constraints constraints,
                                          DeadlineRule rule = DeadlineRule::kExpectedReward);
// Returns the policy that runs all on the device, with the last exit of the table.
std::unique_ptr<Policy> MakeDevicePolicy();

// Returns the policy that takes cut 0 in full precision with the last exit whenever the edge is
// usable, and the device otherwise, or where the table has no such plan.
std::unique_ptr<Policy> MakeEdgePolicy();

}  // namespace cleave

#endif  // CLEAVE_POLICY_POLICY_H_
