#ifndef CLEAVE_POLICY_CONSTRAINTS_H_
#define CLEAVE_POLICY_CONSTRAINTS_H_

#include <optional>

#include "absl/status/status.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

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

}  // namespace cleave

#endif  // CLEAVE_POLICY_CONSTRAINTS_H_
