#include "experiments/sacd/truth.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/statistics.h"
#include "experiments/dsc/results.h"
#include "experiments/sacd/follow.h"
#include "world/jitter.h"

namespace cleave::experiments::sacd {
namespace {

constexpr double kBitsPerByteUs = 8e6;  // Bytes per microsecond to bit/s.
constexpr double kWindowUs = 100'000;
constexpr std::size_t kKept = 48;
constexpr std::size_t kEnough = 12;
// Shorter runs tell of themselves alone: a quota is enforced in lumps, caches are cold after a
// pause and a call has costs of its own.
constexpr double kLongUs = 4'000;

}  // namespace

void RunningMedian::Add(double value) {
  values_.push_back(value);
  if (values_.size() > kKept) values_.pop_front();
}

double RunningMedian::Get() const {
  return Median(std::vector<double>(values_.begin(), values_.end()));
}

Truth::Truth(const PlanTable& table, std::vector<int> rows, world::EnvironmentOptions options,
             const BenchFigures& bench, double middle)
    : table_(table),
      rows_(std::move(rows)),
      options_(std::move(options)),
      middle_(middle),
      device_usual_(bench.device_slowdown),
      device_(kDeviceClasses, RunningMedian(bench.device_slowdown)),
      device_factors_(kDeviceClasses, bench.device_slowdown),
      edge_(bench.edge_slowdown) {
  options_.world.link.rtt_us = bench.rtt_us;
  options_.world.link = WorldFollower::Carried(std::move(options_.world.link));
  options_.world.edge.kind = world::MachineKind::kConstant;
  options_.world.queue.kind = world::QueueKind::kEmpty;
}

void Truth::Begin(std::uint64_t seed) {
  options_.world.edge.slowdown = edge_.Get();
  for (std::size_t i = 0; i < device_.size(); ++i) device_factors_[i] = device_[i].Get();
  world_ = std::make_unique<world::World>(options_.world, seed);
}

void Truth::Learn(const PlanCost& cost, double now_us, double head_us, double tail_us) {
  if (tail_us > 0 && cost.tail_us >= kLongUs) edge_.Add(tail_us / cost.tail_us);
  const double slowdown = DeviceSlowdown(now_us);
  if (cost.head_us <= 0 || DeviceSlowdown(now_us + head_us) != slowdown) return;
  device_[ClassOf(cost, now_us)].Add(head_us / cost.head_us / slowdown);
}

std::size_t Truth::ClassOf(const PlanCost& cost, double now_us) {
  return ClassOf(DeviceSlowdown(now_us) >= middle_ ? SlowdownClass::kHigh : SlowdownClass::kLow,
                 cost.head_us >= kLongUs ? RunLength::kLong : RunLength::kShort);
}

double Truth::TakeDeviceDrift(SlowdownClass slowdown) {
  RunningMedian& seen = device_[ClassOf(slowdown, RunLength::kLong)];
  if (seen.size() < kEnough) return 1;
  const double drift = seen.Get() / device_usual_;
  seen = RunningMedian(device_usual_);
  return drift;
}

world::PlanRun Truth::Run(const PlanCost& cost, const RunTerms& terms) {
  const world::WaitRule wait = [this](double) { return options_.remote_timeout_us; };
  return world::RunPlan(
      cost,
      {.now_us = terms.now_us,
       .entropy = terms.entropy && cost.entropy_bytes_up > 0,
       .jitter = world::Jitter::kMedian,
       .device_factor = terms.device_factor * device_factors_[ClassOf(cost, terms.now_us)]},
      wait, *world_);
}

double Truth::RewardOf(const PlanCost& cost, double now_us, double deadline_us) {
  return world::MeanOverJitter(options_.world.device.run_jitter, [&](double factor) {
    const world::PlanRun run = Run(cost, {.now_us = now_us, .device_factor = factor});
    return Reward({.accuracy = AccuracyOf(cost, table_).value_or(0),
                   .latency_us = run.end_us - now_us,
                   .deadline_us = deadline_us,
                   .device_us = run.DeviceUs(),
                   .radio_us = run.uplink_us + run.downlink_us},
                  options_.reward);
  });
}

int Truth::BestRow(double now_us, double deadline_us) {
  int best = rows_.back();
  double best_reward = -std::numeric_limits<double>::infinity();
  for (const int row : rows_) {
    const double reward =
        RewardOf(table_.plans[static_cast<std::size_t>(row)], now_us, deadline_us);
    if (reward <= best_reward) continue;
    best = row;
    best_reward = reward;
  }
  return best;
}

double Truth::UpBps(double now_us) {
  return kBitsPerByteUs * world_->link.up().MeanRate(now_us, kWindowUs);
}

int BestFixedRow(Truth& truth, const PlanTable& table, const std::vector<int>& rows,
                 const std::vector<std::uint64_t>& seeds, int inferences, double interval_us,
                 double deadline_us) {
  std::vector<double> sums(rows.size());
  for (const std::uint64_t seed : seeds) {
    truth.Begin(seed);
    for (int i = 0; i < inferences; ++i) {
      for (std::size_t k = 0; k < rows.size(); ++k) {
        sums[k] += truth.RewardOf(table.plans[static_cast<std::size_t>(rows[k])], i * interval_us,
                                  deadline_us);
      }
    }
  }
  return rows[static_cast<std::size_t>(std::max_element(sums.begin(), sums.end()) - sums.begin())];
}

std::string PlanText(const Plan& plan) {
  return absl::StrCat(plan.cut, "/", EncodingName(plan.encoding), "/", plan.exit);
}

}  // namespace cleave::experiments::sacd
