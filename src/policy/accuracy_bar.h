#ifndef CLEAVE_POLICY_ACCURACY_BAR_H_
#define CLEAVE_POLICY_ACCURACY_BAR_H_

#include <optional>

#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

// The accuracy that a plan must have in one decision. The table must outlive it.
class AccuracyBar {
 public:
  AccuracyBar(const Constraints& constraints, const PlanTable& table,
              const Observation& observation);

  bool Passes(const PlanCost& cost) const {
    if (exact_only_) return cost.exact;
    const std::optional<double> accuracy = AccuracyOf(cost, table_);
    return accuracy && *accuracy >= lowest_;
  }

  // Returns the plan's accuracy. It is 1 where it is not known, so that the exact plans of a table
  // without calibration are equals.
  double Of(const PlanCost& cost) const { return AccuracyOf(cost, table_).value_or(1); }

 private:
  const PlanTable& table_;
  bool exact_only_ = false;
  double lowest_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_ACCURACY_BAR_H_
