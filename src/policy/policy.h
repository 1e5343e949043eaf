#ifndef CLEAVE_POLICY_POLICY_H_
#define CLEAVE_POLICY_POLICY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "link/estimator.h"
#include "policy/recent_runs.h"

namespace cleave {

// One candidate plan with what it costs by the profiles, before slow-downs: a row of a PlanTable.
struct PlanCost {
  Plan plan;
  double head_us = 0;    // Device, by its profile.
  double encode_us = 0;  // Device.
  double bytes_up = 0;  // Whole request, framing included. 0 for the plan that stays on the device.
  double bytes_down = 0;         // Whole response.
  double tail_us = 0;            // Edge, by its profile.
  double tail_on_device_us = 0;  // What a fallback after the head costs, by the device's profile.

  // The request when what is encoded is compressed as well, and what compressing and expanding add
  // (at the speed of the device's profile). 0 bytes: not known to become smaller.
  double entropy_bytes_up = 0;
  double entropy_us = 0;

  // Share of the samples that this plan gets right, as calibrated. Nothing: it was not measured,
  // and the plan is only chosen where nobody asks for accuracy.
  std::optional<double> accuracy;
  bool exact = true;  // The outputs are those of the whole model in full precision, bit for bit.

  bool remote() const { return bytes_up > 0; }
  double RequestBytes(bool entropy) const { return entropy ? entropy_bytes_up : bytes_up; }
};

// The candidate plans at one batch size. Immutable after making; shared by policy and observer.
struct PlanTable {
  std::int64_t batch = 1;
  // By exit, then by cut, then by encoding, ascending; the last one runs the last exit on the
  // device.
  std::vector<PlanCost> plans;
  // The exact plans' accuracy; nothing where the model is not calibrated.
  std::optional<double> best_accuracy;
};

// All that a device can know when it decides. Estimates with their age, never the truth of a
// simulator.
struct Observation {
  std::int64_t batch = 1;
  LinkEstimate link;
  Estimate device_slowdown{1, 0};  // Against the device's profile.
  Estimate edge_slowdown{1, 0};    // Against the edge's profile.
  double edge_queue_us = 0;        // Wait that the edge last reported, aged.
  std::int64_t edge_age_us = 0;
  // False while backing off, with a wrong digest, or with no edge at all. The dynamic policy sends
  // nothing over a link that is down (`link.up`) either: probes bring it back.
  bool edge_usable = true;
  std::optional<double> deadline_us;
  RecentRuns recent;
};

// What a plan is expected to take, by phase.
struct Prediction {
  double head_us = 0;
  double encode_us = 0;
  double uplink_us = 0;  // Half the round trip and the request's bytes.
  double queue_us = 0;
  double tail_us = 0;
  double downlink_us = 0;  // Half the round trip and the response's bytes.
  bool entropy = false;    // Of the request compressed as well; its cost is part of encode_us.

  double total_us() const {
    return head_us + encode_us + uplink_us + queue_us + tail_us + downlink_us;
  }
};

// Of the request as it is or compressed as well, whichever is faster; of equals as it is.
Prediction Predict(const PlanCost& cost, const Observation& observation);

// Limits that the user sets; the dynamic policy never chooses a plan outside them.
struct Constraints {
  bool no_raw_input = false;            // Privacy: never cut 0, in no encoding.
  std::optional<double> max_device_us;  // Head time allowed on the device (plans that stay on the
                                        // device are exempt only when nothing else is left).
  // Accuracy that a plan must have: at least min_accuracy, and at most accuracy_drop below the
  // exact plans'; shares from 0 to 1. A plan below the bar is never chosen. With neither, and no
  // deadline, only exact plans are. A table that is not calibrated cannot show that an exact plan
  // has min_accuracy, and one whose exact plans are below it holds little else: both are for the
  // caller to refuse. The policy then takes an exact plan.
  std::optional<double> min_accuracy;
  std::optional<double> accuracy_drop;

  // Accuracies from 0 to 1, device time not negative; InvalidArgument names the field.
  absl::Status Validate() const;

  // Privacy and device time.
  bool Allows(const PlanCost& cost, const Observation& observation) const {
    if (no_raw_input && cost.remote() && cost.plan.cut == 0) return false;
    return !max_device_us || cost.head_us * observation.device_slowdown.mean <= *max_device_us;
  }
  // Accuracy. Where `table` is not calibrated: exact plans alone.
  bool AllowsAccuracy(const PlanCost& cost, const PlanTable& table,
                      const Observation& observation) const;
};

// The plan's accuracy as far as it is known: an exact plan's is the table's best.
inline std::optional<double> AccuracyOf(const PlanCost& cost, const PlanTable& table) {
  return cost.accuracy || !cost.exact ? cost.accuracy : table.best_accuracy;
}

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

// What a user fixes: the cut, how its tensors travel, and the exit. Plain data.
struct FixedPlan {
  int cut = 0;
  Encoding encoding = Encoding::kFp32;
  std::optional<int> exit;  // Nothing: the last one, which is the largest of the table.

  // "3", "3/q8" or "3/q8/1": what "fixed:" is followed by, without what is not needed.
  std::string ToString() const;
};

// Cut 0 in full precision, last exit, whenever the edge is usable; the device otherwise, or where
// the table has no such plan.
std::unique_ptr<Policy> MakeEdgePolicy();
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
// Whether the table has a plan at this cut, of whatever exit and encoding.
bool HasCut(const PlanTable& table, int cut);

}  // namespace cleave

#endif  // CLEAVE_POLICY_POLICY_H_
