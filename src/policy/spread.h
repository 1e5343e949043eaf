#ifndef CLEAVE_POLICY_SPREAD_H_
#define CLEAVE_POLICY_SPREAD_H_

#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/predict.h"

namespace cleave {

// Standard deviation of what Predict says the plan takes in all, by the observation. Of its
// parts: the device's work by the device's slow-down, the exchange by the link (covariances
// included), the edge's work by the edge's slow-down, and the wait by itself, since waits in a
// queue deviate about as much as they last. Where recent runs missed their predictions by more than
// these parts explain, a remote plan's is that of the recent runs; it says nothing of a plan that
// stays on the device, whose own deviation is part of its slow-down.
// Not NaN for any observation; may be infinite.
double TotalDeviationUs(const PlanCost& cost, const Observation& observation);

// The same where the prediction is at hand.
// REQUIRES: prediction is Predict(cost, observation).
double TotalDeviationUs(const PlanCost& cost, const Observation& observation,
                        const Prediction& prediction);

// Chance that a normal quantity lies above `limit`. Without deviation: whether the mean does. From
// 0 to 1 for all numbers; 1 where they are none.
double ChanceAbove(double limit, double mean, double deviation);

}  // namespace cleave

#endif  // CLEAVE_POLICY_SPREAD_H_
