#ifndef CLEAVE_EXPERIMENTS_SACD_FOLLOW_H_
#define CLEAVE_EXPERIMENTS_SACD_FOLLOW_H_

#include <cstdint>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "experiments/rig/rig.h"
#include "world/plan_run.h"

namespace cleave::experiments::sacd {

// The CPU share that makes the device as slow as a course says. A share slows it by more or less
// than it should, since caches go cold while it waits and a quota is enforced at coarse ticks.
struct ShareRule {
  double base_share = 1;  // The share of a core that slow-down 1 is.
  // What the share alone slows the device by / what it should, at two slow-downs, low <= high.
  double low = 1, low_cost = 1;
  double high = 1, high_cost = 1;

  // Returns the share for a slow-down. Costs in between are interpolated by the slow-down's
  // logarithm.
  double Share(double slowdown) const;
};

// Carries a simulated world out on the rig in real time: the link's rates and the devices'
// CPU share follow its courses in steps of kStepUs, each with the mean rate over it. Thread-safe;
// the rig's rates and share are its own while it lives.
class WorldFollower {
 public:
  static constexpr std::int64_t kStepUs = 100'000;
  // The kernel wakes a waiting packet at the time that the rate of its arrival gave it, so a lower
  // rate would hold it up far beyond a step in which nothing passes.
  static constexpr double kLeastBps = 120e3;

  WorldFollower(rig::Rig& rig, world::WorldOptions options, const ShareRule& rule);
  ~WorldFollower();
  WorldFollower(const WorldFollower&) = delete;
  WorldFollower& operator=(const WorldFollower&) = delete;

  // Returns the link as it is carried out: in steps, each with its mean rate.
  static world::LinkOptions Carried(world::LinkOptions link);

  // Begins the course of this seed from its time 0. The first change of the rig that failed since
  // the last time is an error.
  absl::Status Begin(std::uint64_t seed);
  // Sets the rule, which holds from the next change of the slow-down on.
  void SetRule(const ShareRule& rule);
  // Returns when the course began, on the steady clock.
  std::int64_t start_us() const;

 private:
  void Follow();
  void Apply() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  rig::Rig& rig_;
  const world::WorldOptions options_;
  mutable absl::Mutex mutex_;
  ShareRule rule_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<world::World> world_ ABSL_GUARDED_BY(mutex_);
  std::int64_t start_us_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t step_ ABSL_GUARDED_BY(mutex_) = 0;
  double slowdown_ ABSL_GUARDED_BY(mutex_) = 0;  // What was set last.
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_FOLLOW_H_
