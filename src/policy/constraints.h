#ifndef CLEAVE_POLICY_CONSTRAINTS_H_
#define CLEAVE_POLICY_CONSTRAINTS_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "cleave/plan.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/predict.h"

namespace cleave {

// What the user asks of plans. The dynamic policy never chooses a plan outside the limits.
struct Constraints {
  Objective objective = Objective::kLatency;
  // With kThroughput: the longest predicted time of a plan, as long as there is one within it.
  std::optional<double> max_latency_us;
  // So many inferences overlap at most, which bounds the throughput of a plan by its time.
  std::int64_t max_in_flight = 1;
  bool no_raw_input = false;  // Privacy: cut 0 is never sent, in no encoding.
  // The longest head on the device. Plans that stay on the device are exempt only when nothing else
  // is left.
  std::optional<double> max_device_us;
  // The accuracy that a plan must have: at least min_accuracy, and at most accuracy_drop below that
  // of the exact plans; both are shares from 0 to 1. A plan below this bar is never chosen. With
  // neither, and no deadline, only exact plans are chosen. A table that is not calibrated cannot
  // show that an exact plan has min_accuracy, and one whose exact plans are below it holds little
  // else: the caller has to refuse both. The policy then takes an exact plan.
  std::optional<double> min_accuracy;
  std::optional<double> accuracy_drop;

  // InvalidArgument names the field that is out of its range.
  absl::Status Validate() const;

  // Returns whether privacy, device time and the data budget allow the plan.
  bool Allows(const PlanCost& cost, const Observation& observation) const {
    if (no_raw_input && cost.remote() && cost.plan.cut == 0) return false;
    if (!FitsBudget(cost, observation)) return false;
    return !max_device_us || cost.head_us * observation.device_slowdown.mean <= *max_device_us;
  }
  // Returns whether the plan is accurate enough. Where `table` is not calibrated, only exact plans
  // are.
  bool AllowsAccuracy(const PlanCost& cost, const PlanTable& table,
                      const Observation& observation) const;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_CONSTRAINTS_H_
