#ifndef CLEAVE_DEVICE_TIMEOUT_H_
#define CLEAVE_DEVICE_TIMEOUT_H_

#include <cstdint>
#include <optional>

#include "link/estimator.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

// The terms by which the wait for the edge is limited.
struct WaitTerms {
  double remote_us = 0;          // The time predicted from now to the answer.
  double tail_on_device_us = 0;  // Finishing on the device, by its profile.
  Estimate device_slowdown{1, 0};
  std::optional<double> remaining_us;  // Until the deadline, if there is one.
  bool user_chose_plan = false;        // The policy is `edge` or `fixed:K`.
  std::int64_t remote_timeout_us = 0;  // As in DeviceOptions::Edge.
};

// How long to wait for the edge from now on; 0: not at all.
//
// With a deadline that the device can still meet by itself, it is the time that remains less what
// the device then needs (its mean and twice its deviation) less a margin. Where the device cannot
// meet the deadline any more, giving up early gains nothing and the rules below hold; and likewise
// where the device could but not safely, while the edge is expected to.
//
// Without a deadline, a user who fixed the plan gets remote_timeout_us. Otherwise it is four times
// the prediction and four times the device's own tail, at least 0.3 s and at most
// remote_timeout_us: a slow link is waited for as long as that is not much dearer than finishing on
// the device, and a dead one delays an inference by little.
std::int64_t RemoteTimeoutUs(const WaitTerms& terms);

// The predicted time of what follows the head of a remote plan.
double RemotePartUs(const PlanCost& cost, const Observation& observation);

// The terms as far as plan and observation tell them; the others are those of a new WaitTerms.
WaitTerms WaitTermsOf(const PlanCost& cost, const Observation& observation);

// What the deadline leaves for the edge before the head of a remote plan is run, where that is less
// than the answer is expected to take; the edge is then not asked at all. Nothing: ask it.
std::optional<std::int64_t> TooLateBudgetUs(WaitTerms terms, const PlanCost& cost,
                                            const Observation& observation);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_TIMEOUT_H_
