#ifndef CLEAVE_POLICY_POLICY_H_
#define CLEAVE_POLICY_POLICY_H_

#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

enum class Reason : std::uint8_t {
  kFastest,       // Least predicted time.
  kFixed,         // The user said so.
  kEdgeUnusable,  // No edge to send to.
  kOnlyOneLeft,   // Constraints leave nothing else.
  kMostAccurate,  // Most accurate of those that are predicted to meet the deadline.
  kNoneInTime,  // None above the bar is predicted to meet the deadline: the one that comes nearest.
  kLearned,     // A learned policy's choice.
  kUnfamiliar,  // The exact search's, since the observation is far from all that was learned from.
  kGuarded,     // The exact search's, since the learned choice is predicted to miss the deadline.
  kRandom,      // Drawn.
};
absl::string_view ReasonName(Reason reason);

struct Decision {
  int index = 0;  // Into PlanTable::plans.
  double predicted_us = 0;
  Reason reason = Reason::kFastest;
  bool entropy = false;  // Send the plan's tensor compressed: the predicted time falls.
  // With kUnfamiliar: the first state feature that lies too far outside; empty where it is not
  // that.
  absl::string_view feature = {};
};

// Observation -> plan. Pure and fast: no clock, no I/O, no allocation in Decide (but for what ONNX
// Runtime does inside a learned one, and the random rival's state). Thread-safe.
class Policy {
 public:
  virtual ~Policy() = default;
  virtual absl::string_view name() const = 0;
  // REQUIRES: table.plans is not empty and ends with the plan that stays on the device.
  virtual Decision Decide(const PlanTable& table, const Observation& observation) const = 0;
};

// Dynamic split computing (Bakhtiarnia et al., arXiv 2205.11269): argmin of head + encode +
// bytes / rate + RTT + queue + tail over the candidates; of equals the one with fewer bytes. Bytes
// far beyond what the rate was tried with count double in every comparison, also with the deadline,
// not in `predicted_us`.
//
// Without a deadline: the fastest plan above the bar of accuracy. With one, and a calibrated table:
// the most accurate plan above the bar that is predicted to meet it (Edgent's problem, arXiv
// 1806.07840), of equals the fastest; where none does, the fastest above the bar. The search is
// exact: every plan counts. A table that is not calibrated knows exact plans only, and then the
// fastest is also the likeliest to meet the deadline. Where the limits leave nothing, plans that
// stay on the device may take longer than `max_device_us`; where the bar leaves none of these
// either, it is the table's last plan.
// REQUIRES: constraints.Validate() is OK.
std::unique_ptr<Policy> MakeDynamicPolicy(Constraints constraints);
std::unique_ptr<Policy> MakeDevicePolicy();

// Cut 0 in full precision, last exit, whenever the edge is usable; the device otherwise, or where
// the table has no such plan.
std::unique_ptr<Policy> MakeEdgePolicy();

}  // namespace cleave

#endif  // CLEAVE_POLICY_POLICY_H_
