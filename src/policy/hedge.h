#ifndef CLEAVE_POLICY_HEDGE_H_
#define CLEAVE_POLICY_HEDGE_H_

#include <optional>

#include "policy/policy.h"

namespace cleave {

// Chance that this plan's answer comes after the deadline, by the observation's deviations: the
// total is taken as normal with the variances of link, slow-downs and recent prediction errors. 0
// without a deadline.
double MissChance(const PlanCost& cost, const Observation& observation);

// The plan that the device should finish by itself while the answer of `decision` is on its way:
// of those that stay on the device, share the head up to the decided cut (an exit before or at it,
// or one whose remaining work fits), and are predicted to be done before the deadline with a chance
// of at least 1 - max_miss, the most accurate one; where none is that sure, the quickest. Nothing
// where the decision stays on the device, is sure enough itself (MissChance at most max_miss), or
// there is no deadline. Index into table.plans. Pure.
std::optional<int> HedgeFor(const PlanTable& table, const Observation& observation,
                            const Decision& decision, double max_miss);

}  // namespace cleave

#endif  // CLEAVE_POLICY_HEDGE_H_
