#ifndef CLEAVE_POLICY_OBSERVATION_H_
#define CLEAVE_POLICY_OBSERVATION_H_

#include <cstdint>
#include <optional>

#include "link/estimator.h"
#include "policy/recent_runs.h"

namespace cleave {

// All that a device can know when it decides. Estimates with their age, never the truth of a
// simulator.
struct Observation {
  std::int64_t batch = 1;
  LinkEstimate link;
  Estimate device_slowdown{1, 0};  // Against the device's profile.
  Estimate edge_slowdown{1, 0};    // Against the edge's profile.
  double edge_queue_us = 0;        // Wait that the edge last reported, aged.
  std::int64_t edge_age_us = 0;
  // False while backing off, with a wrong digest, or with no edge at all. The dynamic policy sends
  // nothing over a link that is down (`link.up`) either: probes bring it back.
  bool edge_usable = true;
  std::optional<double> deadline_us;
  RecentRuns recent;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_OBSERVATION_H_
