#ifndef CLEAVE_EXPERIMENTS_SACD_TRUTH_H_
#define CLEAVE_EXPERIMENTS_SACD_TRUTH_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "world/plan_run.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

// Where the rig differs from the environment's figures: the round trip, and the speed of both
// machines against their profiles when nothing slows them.
struct BenchFigures {
  double rtt_us = 0;
  // The device's where the course says 1: that of the share that is the whole device, for shares
  // make up for what they cost; at full speed where none is enforced.
  double device_slowdown = 1;
  double edge_slowdown = 1;
  double full_speed_slowdown = 1;  // The device's with all of a core.
};

// The median of the last values, for what drifts. Thread-compatible.
class RunningMedian {
 public:
  explicit RunningMedian(double first) : values_{first} {}
  void Add(double value);
  double Get() const;
  std::size_t size() const { return values_.size(); }

 private:
  std::deque<double> values_;
};

// What plans really cost in a world that the rig carries out, by the environment's own costs:
// the oracle, and what the simulator says of a real inference. Thread-compatible; the table must
// outlive it.
class Truth {
 public:
  // `middle` is the slow-down that parts small ones from large ones, which cost different amounts.
  Truth(const PlanTable& table, std::vector<int> rows, world::EnvironmentOptions options,
        const BenchFigures& bench, double middle);

  // Begins a course, as WorldFollower::Begin does.
  void Begin(std::uint64_t seed);

  // Learns from an inference how fast both machines are. Their speed drifts on a rig that other
  // things run on: from the next course on it is the median of what was measured lately. `head_us`
  // and `tail_us` are those of an inference that began at `now_us`, the latter 0 if the edge did
  // not answer.
  void Learn(const PlanCost& cost, double now_us, double head_us, double tail_us);

  // Slow-downs below and above the middle.
  enum class SlowdownClass { kLow, kHigh };

  // Returns by how much the device's long runs of late took longer than they should at such
  // slow-downs. The caller makes up for it, so it is forgotten here. 1 while too few runs are
  // known.
  double TakeDeviceDrift(SlowdownClass slowdown);

  struct RunTerms {
    double now_us = 0;
    bool entropy = false;
    double device_factor = 1;
  };
  // Returns what this row takes from then on, without jitter, without others' requests at the edge
  // and without giving up on it before the timeout.
  world::PlanRun Run(const PlanCost& cost, const RunTerms& terms);

  // Returns the row with the greatest mean reward over the jitter of the device's runs, from then
  // on.
  int BestRow(double now_us, double deadline_us);
  double RewardOf(const PlanCost& cost, double now_us, double deadline_us);

  double UpBps(double now_us);
  // Returns what the course alone says.
  double DeviceSlowdown(double now_us) { return world_->device.SlowdownAt(now_us); }

 private:
  const PlanTable& table_;
  const std::vector<int> rows_;
  enum class RunLength { kShort, kLong };
  // One for each slow-down class and length of a run.
  static constexpr std::size_t kDeviceClasses = 4;
  static std::size_t ClassOf(SlowdownClass slowdown, RunLength length) {
    return (slowdown == SlowdownClass::kHigh ? 2 : 0) + (length == RunLength::kLong ? 1 : 0);
  }
  std::size_t ClassOf(const PlanCost& cost, double now_us);

  world::EnvironmentOptions options_;
  double middle_ = 1;
  // What a course's slow-down is to be multiplied by, for each class; as it is known by now and as
  // it is in this course.
  double device_usual_ = 1;
  std::vector<RunningMedian> device_;
  std::vector<double> device_factors_;
  RunningMedian edge_;
  std::unique_ptr<world::World> world_;
};

// Returns the row with the greatest mean reward when each inference of these courses, `interval_us`
// apart, runs it: the best single fixed plan in hindsight, by the environment's costs.
int BestFixedRow(Truth& truth, const PlanTable& table, const std::vector<int>& rows,
                 const std::vector<std::uint64_t>& seeds, int inferences, double interval_us,
                 double deadline_us);

// Returns "CUT/ENCODING/EXIT".
std::string PlanText(const Plan& plan);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_TRUTH_H_
