#ifndef CLEAVE_EXPERIMENTS_DSC_POINT_H_
#define CLEAVE_EXPERIMENTS_DSC_POINT_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "cleave/cancel.h"
#include "experiments/dsc/experiment.h"
#include "experiments/dsc/results.h"
#include "experiments/rig/worker.h"

namespace cleave::experiments::dsc {

// The two devices of a point, alike but for what they have seen: `fixed` runs every fixed cut,
// `dynamic` nothing but its own policy. One sleeps while the other runs.
struct PointDevices {
  rig::Worker& fixed;
  rig::Worker& dynamic;
};

struct PointLimits {
  int repeats = 5;
  int final_repeats = 5;        // Turns of each of the best cuts, at least,
  int most_final_repeats = 25;  // and at most, until the regret is known to 2%.
  int warmup = 5;
  double predict_only_above_us = 5e6;
  std::int64_t budget_us = 0;  // After this long no repeat is begun; the first round always ends.
  CancelToken cancel;
};

// Measures every candidate cut by brute force, then `dynamic` in turns with the best of them, on
// the link and the edge as they are. `point` names rate, batch and load; its figures are filled in.
// Cancelled leaves what was measured so far.
absl::Status MeasurePoint(const PointDevices& devices, const PointLimits& limits,
                          PointResult& point);

// Returns the cuts whose time at this point is within `tolerance` of the best.
std::vector<int> RightCuts(const PointResult& point, double tolerance);

// Returns what a cut costs at a true rate, by the device's forecast.
double PredictUs(const rig::Forecast& forecast, double rate_bps);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_POINT_H_
