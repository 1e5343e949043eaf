#include "lab/experiment_sacd_follow.h"

#include <algorithm>
#include <utility>

#include "absl/time/time.h"
#include "core/clock.h"

namespace cleave::sacd {
namespace {

constexpr double kBitsPerByteUs = 8e6;  // Bytes per microsecond to bit/s.

}  // namespace

WorldFollower::WorldFollower(dsc::Rig& rig, WorldOptions options, double base_share)
    : rig_(rig),
      options_(std::move(options)),
      base_share_(base_share),
      thread_([this] { Follow(); }) {}

WorldFollower::~WorldFollower() {
  {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  thread_.join();
}

absl::Status WorldFollower::Begin(std::uint64_t seed) {
  const absl::MutexLock lock(&mutex_);
  world_ = std::make_unique<World>(options_, seed);
  start_us_ = Clock::Steady().NowUs();
  step_ = 0;
  Apply();
  return std::exchange(status_, absl::OkStatus());
}

std::int64_t WorldFollower::start_us() const {
  const absl::MutexLock lock(&mutex_);
  return start_us_;
}

void WorldFollower::Apply() {
  const auto t_us = static_cast<double>(step_ * kStepUs);
  const auto bps = [&](Course& course) {
    return std::max(kLeastBps, kBitsPerByteUs * course.MeanRate(t_us, kStepUs));
  };
  const absl::Status link = rig_.StreamRate(bps(world_->link.up()), bps(world_->link.down()));
  if (status_.ok()) status_ = link;
  const double slowdown = world_->device.SlowdownAt(t_us);
  if (slowdown == slowdown_) return;
  slowdown_ = slowdown;
  const absl::Status share = rig_.SetDeviceShare(base_share_ / slowdown);
  if (status_.ok()) status_ = share;
}

void WorldFollower::Follow() {
  const absl::MutexLock lock(&mutex_);
  while (!stopped_) {
    const std::int64_t next_us = start_us_ + (step_ + 1) * kStepUs;
    const std::int64_t left_us = world_ == nullptr ? kStepUs : next_us - Clock::Steady().NowUs();
    mutex_.AwaitWithTimeout(absl::Condition(&stopped_),
                            absl::Microseconds(std::max<std::int64_t>(0, left_us)));
    const std::int64_t due = (Clock::Steady().NowUs() - start_us_) / kStepUs;
    if (stopped_ || world_ == nullptr || due <= step_) continue;
    step_ = due;
    Apply();
  }
}

}  // namespace cleave::sacd
