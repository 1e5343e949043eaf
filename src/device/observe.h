#ifndef CLEAVE_DEVICE_OBSERVE_H_
#define CLEAVE_DEVICE_OBSERVE_H_

#include <cstdint>
#include <optional>

#include "device/edge_view.h"
#include "link/estimator.h"
#include "policy/observation.h"
#include "policy/recent_runs.h"

namespace cleave {

// What a device knows of itself and of what is asked of it.
struct OwnState {
  std::int64_t batch = 1;
  Estimate slowdown{1, 0};
  std::optional<double> deadline_us;
  RecentRuns recent;
};

// Makes an observation. Devices, the environment that policies learn in, and replays all make
// theirs here.
Observation Observe(const OwnState& own, const EdgeView& edge);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_OBSERVE_H_
