#ifndef CLEAVE_POLICY_PREDICT_H_
#define CLEAVE_POLICY_PREDICT_H_

#include <algorithm>

#include "policy/observation.h"
#include "policy/plan_table.h"

namespace cleave {

// What a plan is expected to take, by phase.
struct Prediction {
  double head_us = 0;
  double encode_us = 0;
  double uplink_wait_us = 0;  // Until the device's other requests have left the uplink.
  double uplink_us = 0;       // Half the round trip and the bytes of the request.
  double queue_us = 0;
  double tail_us = 0;
  double downlink_us = 0;  // Half the round trip and the bytes of the answer.
  bool entropy = false;    // The request is compressed as well; encode_us has its cost.

  double total_us() const {
    return head_us + encode_us + uplink_wait_us + uplink_us + queue_us + tail_us + downlink_us;
  }
};

// Predicts the request as it is or compressed as well, whichever is faster; of equals, as it is.
Prediction Predict(const PlanCost& cost, const Observation& observation);

// The following are inline for the search over all plans.

// Returns whether the data budget leaves enough for the plan's request and answer.
inline bool FitsBudget(const PlanCost& cost, const Observation& observation) {
  return !observation.data_left_bytes || !cost.remote() ||
         cost.bytes_up + cost.bytes_down <= *observation.data_left_bytes;
}

// Predicts the request in this form.
inline Prediction PredictForm(const PlanCost& cost, const Observation& observation,
                              RequestForm form) {
  Prediction prediction;
  const double device = observation.device_slowdown.mean;
  prediction.head_us = cost.head_us * device;
  prediction.encode_us = (cost.encode_us + (form.entropy ? cost.entropy_us : 0)) * device;
  prediction.entropy = form.entropy;
  if (!cost.remote()) return prediction;
  const LinkEstimate& link = observation.link;
  const double one_way_us = link.rtt_us.mean / 2;
  prediction.uplink_wait_us =
      std::max(0.0, observation.uplink_wait_us - prediction.head_us - prediction.encode_us);
  prediction.uplink_us = one_way_us + cost.RequestBytes(form) * link.up_us_per_byte.mean;
  prediction.queue_us = observation.edge_queue_us;
  prediction.tail_us = cost.tail_us * observation.edge_slowdown.mean;
  prediction.downlink_us = one_way_us + cost.bytes_down * link.down_us_per_byte.mean;
  return prediction;
}

// Returns whether the request becomes faster by being compressed as well. Only the phases that
// differ are compared.
inline bool EntropyPays(const PlanCost& cost, const Observation& observation) {
  if (!cost.remote() || cost.entropy_bytes_up <= 0) return false;
  const double saved_us =
      (cost.bytes_up - cost.entropy_bytes_up) * observation.link.up_us_per_byte.mean;
  return cost.entropy_us * observation.device_slowdown.mean < saved_us;
}

inline Prediction PredictInline(const PlanCost& cost, const Observation& observation) {
  return PredictForm(cost, observation, {.entropy = EntropyPays(cost, observation)});
}

// A rate is believed for this many times the bytes that it was tried with; what is beyond that
// counts double. Small probes pass in a shaper's burst, and one transfer of half a megabyte on the
// strength of them would cost more than many inferences save.
inline constexpr double kTrust = 32;

// Returns the time by which plans are compared: the prediction, in which the bytes that the rate
// was not tried with count double.
inline double ComparedUs(const PlanCost& cost, const Observation& observation,
                         const Prediction& prediction) {
  const LinkEstimate& link = observation.link;
  const double untried_bytes =
      std::max(0.0, cost.RequestBytes({.entropy = prediction.entropy}) - kTrust * link.tried_bytes);
  return prediction.total_us() + untried_bytes * link.up_us_per_byte.mean;
}

// Returns the time of the slowest stage of a plan: device, uplink, edge or downlink. Where many
// inferences overlap, each takes so much longer than the one before it (DADS, INFOCOM 2019, calls
// this the heavy load). The bytes that the rate was not tried with count double.
inline double SlowestStageUs(const PlanCost& cost, const Observation& observation,
                             const Prediction& prediction) {
  const double device_us = prediction.head_us + prediction.encode_us;
  if (!cost.remote()) return device_us;
  const LinkEstimate& link = observation.link;
  const double untried_us = ComparedUs(cost, observation, prediction) - prediction.total_us();
  const double up_us =
      cost.RequestBytes({.entropy = prediction.entropy}) * link.up_us_per_byte.mean + untried_us;
  const double down_us = cost.bytes_down * link.down_us_per_byte.mean;
  return std::max({device_us, up_us, prediction.tail_us, down_us});
}

}  // namespace cleave

#endif  // CLEAVE_POLICY_PREDICT_H_
