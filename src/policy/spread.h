#ifndef CLEAVE_POLICY_SPREAD_H_
#define CLEAVE_POLICY_SPREAD_H_

#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/predict.h"

namespace cleave {

// Returns the standard deviation of the total time that Predict gives for the plan. It joins those
// of its parts: the device's work by the device's slow-down, the exchange by the link (covariances
// included), the edge's work by the edge's slow-down, and the wait by itself, since waits in a
// queue deviate about as much as they last. Where recent runs missed their predictions by more than
// these parts explain, the deviation of a remote plan is that of the recent runs; that says nothing
// of a plan that stays on the device, whose own deviation is part of its slow-down. It may be
// infinite, but is never NaN.
double TotalDeviationUs(const PlanCost& cost, const Observation& observation);

// Returns the same where the prediction is at hand. REQUIRES: prediction is Predict(cost,
// observation).
double TotalDeviationUs(const PlanCost& cost, const Observation& observation,
                        const Prediction& prediction);

// Returns its square.
double TotalVarianceUs2(const PlanCost& cost, const Observation& observation,
                        const Prediction& prediction);

// Returns the chance, from 0 to 1, that an answer predicted for `mean_us` comes after `limit_us`.
// Above the mean it is the tail of Student's t distribution with two degrees of freedom: latencies
// have far heavier tails there than a normal distribution, and the chances that this gives are
// close to those that come (`cleave experiment sacd` prints both). Below the mean it is that of a
// log-normal distribution, since nothing makes a run much faster than it is. Without variance it
// says whether the mean is late. It is 1 where an argument is NaN.
double LateChance(double limit_us, double mean_us, double variance_us2);

// Returns the same for a plan and the observation's deadline; 0 without one.
double LateChance(const PlanCost& cost, const Observation& observation);

// Returns the chance, from 0 to 1, that a normally distributed quantity lies above `limit`. Without
// deviation it says whether the mean does. It is 1 where an argument is NaN.
double ChanceAbove(double limit, double mean, double deviation);

}  // namespace cleave

#endif  // CLEAVE_POLICY_SPREAD_H_
