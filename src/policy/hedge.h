#ifndef CLEAVE_POLICY_HEDGE_H_
#define CLEAVE_POLICY_HEDGE_H_

#include <optional>
#include <vector>

#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"

namespace cleave {

// When to hedge, and with what.
struct HedgeTerms {
  double max_miss = 0;      // The chance of a miss, from 0 to 1, that needs no hedge yet.
  Constraints constraints;  // They bind every answer, so that of a hedge as well.
  // By exit: the time, by the device's profile, of the part of its path that is done once the
  // decided plan's head has run. An exit beyond the end of the list shares nothing.
  std::vector<double> shared_us;
};

// Returns the chance that this plan's answer comes after the deadline, if its predicted total is
// normally distributed with TotalDeviationUs. 0 without a deadline.
double MissChance(const PlanCost& cost, const Observation& observation);

// The plan that the device should finish by itself while the answer of `decision` is on its way: of
// the plans that stay on the device, end at an earlier exit, and are within the constraints, the
// most accurate one whose chance of being late is at most max_miss; where none is that sure, the
// one that is done first. It begins when head and encoding of the decided plan are done.
//
// Returns an index into table.plans. It is nothing where the decision stays on the device, is sure
// enough by itself (MissChance at most max_miss), or has no earlier exit to hedge with: none in the
// model, none calibrated, none above the bar of accuracy; and nothing without a deadline. Pure.
std::optional<int> HedgeFor(const PlanTable& table, const Observation& observation,
                            const Decision& decision, const HedgeTerms& terms);

}  // namespace cleave

#endif  // CLEAVE_POLICY_HEDGE_H_
