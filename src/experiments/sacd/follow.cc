#include "experiments/sacd/follow.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/time/time.h"
#include "core/clock.h"

namespace cleave::experiments::sacd {
namespace {

constexpr double kBitsPerByteUs = 8e6;  // Bytes per microsecond to bit/s.

}  // namespace

double ShareRule::Share(double slowdown) const {
  const double width = std::log(high / low);
  const double position = width > 0 ? std::clamp(std::log(slowdown / low) / width, 0.0, 1.0) : 0;
  return base_share * (low_cost + position * (high_cost - low_cost)) / slowdown;
}

WorldFollower::WorldFollower(rig::Rig& rig, world::WorldOptions options, const ShareRule& rule)
    : rig_(rig), options_(std::move(options)), rule_(rule), thread_([this] { Follow(); }) {}

WorldFollower::~WorldFollower() {
  {
    const absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  thread_.join();
}

world::LinkOptions WorldFollower::Carried(world::LinkOptions link) {
  link.step_us = kStepUs;
  link.least_step_bps = kLeastBps;
  return link;
}

absl::Status WorldFollower::Begin(std::uint64_t seed) {
  const absl::MutexLock lock(&mutex_);
  world_ = std::make_unique<world::World>(options_, seed);
  start_us_ = Clock::Steady().NowUs();
  step_ = 0;
  Apply();
  return std::exchange(status_, absl::OkStatus());
}

void WorldFollower::SetRule(const ShareRule& rule) {
  const absl::MutexLock lock(&mutex_);
  rule_ = rule;
  slowdown_ = 0;
}

std::int64_t WorldFollower::start_us() const {
  const absl::MutexLock lock(&mutex_);
  return start_us_;
}

void WorldFollower::Apply() {
  const auto t_us = static_cast<double>(step_ * kStepUs);
  const auto bps = [&](world::Course& course) {
    return std::max(kLeastBps, kBitsPerByteUs * course.MeanRate(t_us, kStepUs));
  };
  const absl::Status link = rig_.StreamRate(bps(world_->link.up()), bps(world_->link.down()));
  if (status_.ok()) status_ = link;
  const double slowdown = world_->device.SlowdownAt(t_us);
  if (slowdown == slowdown_) return;
  slowdown_ = slowdown;
  const absl::Status share = rig_.SetDeviceShare(rule_.Share(slowdown));
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

}  // namespace cleave::experiments::sacd
