#ifndef CLEAVE_DEVICE_TIMEOUT_H_
#define CLEAVE_DEVICE_TIMEOUT_H_

#include <cstdint>
#include <optional>

#include "link/estimator.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

// What the wait for the edge is weighed against.
struct WaitTerms {
  double remote_us = 0;          // Predicted from now to the answer.
  double tail_on_device_us = 0;  // What finishing here costs, by the device's profile.
  Estimate device_slowdown{1, 0};
  std::optional<double> remaining_us;  // Until the deadline.
  bool user_chose_plan = false;        // Policy edge or fixed:K.
  std::int64_t remote_timeout_us = 0;  // As in DeviceOptions::Edge.
};

// How long to wait for the edge from now on; 0: not at all.
//
// With a deadline that the device can still meet by itself: the time that remains less what the
// device then needs (mean and twice its deviation) less a margin. Where the device cannot meet it
// any more, giving up early gains nothing and the rules below hold; and likewise where it could but
// not safely, while the edge is expected to.
//
// Without: a user who fixed the plan gets remote_timeout_us. Otherwise four times the prediction
// and four times the device's own tail, at least 0.3 s, at most remote_timeout_us: a slow
// link is waited for as long as that is not much dearer than finishing here, and a dead one holds
// up an inference by little.
std::int64_t RemoteTimeoutUs(const WaitTerms& terms);

// What of a remote plan follows its head, as predicted.
double RemotePartUs(const PlanCost& cost, const Observation& observation);

// The terms that plan and observation tell; the rest is as in a new WaitTerms.
WaitTerms WaitTermsOf(const PlanCost& cost, const Observation& observation);

// Before the head of a remote plan: what the deadline leaves for the edge, where that is less than
// the answer is expected to take, so that the edge is not asked at all. Nothing: ask.
std::optional<std::int64_t> TooLateBudgetUs(WaitTerms terms, const PlanCost& cost,
                                            const Observation& observation);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_TIMEOUT_H_
