#ifndef CLEAVE_POLICY_RANDOM_H_
#define CLEAVE_POLICY_RANDOM_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "cleave/plan.h"
#include "policy/constraints.h"
#include "policy/policy.h"

namespace cleave {

// Makes the lower bound of experiments. Each of the valid plans (policy/features.h) is as likely as
// any other, of `plans` where that is not empty, else of the whole table. Unlike other policies it
// has a state: equal seeds give equal decisions for equal calls in the same order. Where none of
// `plans` stays on the device in a table, it chooses among the whole table. Thread-safe. REQUIRES:
// constraints.Validate() is OK.
std::unique_ptr<Policy> MakeRandomPolicy(std::vector<Plan> plans, const Constraints& constraints,
                                         std::uint64_t seed);

}  // namespace cleave

#endif  // CLEAVE_POLICY_RANDOM_H_
