#ifndef CLEAVE_POLICY_OBSERVATION_H_
#define CLEAVE_POLICY_OBSERVATION_H_

#include <cstdint>
#include <optional>

#include "link/estimator.h"
#include "policy/recent_runs.h"

namespace cleave {

// All that a device can know when it decides: estimates with their age, never the truth of a
// simulator.
struct Observation {
  std::int64_t batch = 1;
  LinkEstimate link;
  Estimate device_slowdown{1, 0};  // Its time over that of its profile.
  Estimate edge_slowdown{1, 0};    // Its time over that of its profile.
  double edge_queue_us = 0;        // The wait that the edge last reported, aged.
  std::int64_t edge_age_us = 0;
  double uplink_wait_us = 0;  // Until the device's own requests under way have left the uplink.
  // Whether a request could be sent: not while backing off, with a wrong digest, or without an
  // edge. The dynamic policy sends nothing over a link that is down (`link.up`) either: probes
  // bring it back.
  bool edge_usable = true;
  std::optional<double> deadline_us;
  double waited_us = 0;  // The inference waited so long before it was decided.
  // The data budget leaves so much for this one; nothing without a budget.
  std::optional<double> data_left_bytes;
  RecentRuns recent;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_OBSERVATION_H_
