#ifndef CLEAVE_POLICY_GUARD_H_
#define CLEAVE_POLICY_GUARD_H_

#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"

namespace cleave {

// Makes a learned choice (an index into table.plans) a decision. Where the choice is predicted to
// miss the deadline, and the choice of `search` to meet it, the latter is decided, with the reason
// kGuarded. Devices and the environment that policies learn in follow the same rule, so that what
// was learned holds. Pure.
Decision Guarded(const PlanTable& table, const Observation& observation, int index,
                 const Policy& search);

// Returns the same with what the search decided at hand, as Searched gives it for kGuarded.
Decision Guarded(const PlanTable& table, const Observation& observation, int index,
                 const Decision& searched);

// Returns what `search` decides, with this reason instead of its own, unless that is kEdgeUnusable.
Decision Searched(const PlanTable& table, const Observation& observation, const Policy& search,
                  Reason reason);

}  // namespace cleave

#endif  // CLEAVE_POLICY_GUARD_H_
