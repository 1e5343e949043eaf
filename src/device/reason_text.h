#ifndef CLEAVE_DEVICE_REASON_TEXT_H_
#define CLEAVE_DEVICE_REASON_TEXT_H_

#include <string>

#include "cleave/plan.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"

namespace cleave {

// A plan for people to read: "exit 2, cut 4, q8".
std::string PlanText(const Plan& plan);

// Why a policy decided so, for a record. Where no plan is both accurate and quick enough, it says
// what was asked for and how near the chosen one comes.
std::string ReasonText(const Decision& decision, const PlanCost& cost,
                       const Constraints& constraints, const Observation& observation);

// Why an inference did not even try the edge, from EdgeView::problem.
std::string ProblemText(const std::string& problem);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_REASON_TEXT_H_
