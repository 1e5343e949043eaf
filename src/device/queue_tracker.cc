#include "device/queue_tracker.h"

#include <algorithm>
#include <cmath>

namespace cleave {
namespace {

constexpr double kSnapshotUs = 40'000;  // A snapshot's weight falls to 1/e within this,
constexpr double kMeanUs = 1e6;         // that of an older report in the mean within this,
constexpr double kMemoryUs = 5e6;       // and all is forgotten after this.

}  // namespace

void QueueTracker::Report(double wait_us, std::int64_t now_us) {
  const auto since_us = static_cast<double>(std::max<std::int64_t>(0, now_us - at_us_));
  const double gain = known_ ? -std::expm1(-since_us / kMeanUs) : 1;
  mean_us_ += gain * (wait_us - mean_us_);
  last_us_ = wait_us;
  at_us_ = now_us;
  known_ = true;
}

double QueueTracker::ExpectedUs(std::int64_t now_us) const {
  const auto age_us = static_cast<double>(std::max<std::int64_t>(0, now_us - at_us_));
  const double snapshot = std::exp(-age_us / kSnapshotUs);
  const double memory = std::clamp(1 - age_us / kMemoryUs, 0.0, 1.0);
  return memory * (snapshot * last_us_ + (1 - snapshot) * mean_us_);
}

}  // namespace cleave
