#include "lab/experiment_sacd_truth.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cleave::sacd {
namespace {

constexpr double kBitsPerByteUs = 8e6;  // Bytes per microsecond to bit/s.
constexpr double kWindowUs = 100'000;

}  // namespace

Truth::Truth(const PlanTable& table, std::vector<int> rows, EnvironmentOptions options,
             const BenchFigures& bench)
    : table_(table),
      rows_(std::move(rows)),
      device_slowdown_(bench.device_slowdown),
      options_(std::move(options)) {
  options_.world.link.rtt_us = bench.rtt_us;
  options_.world.edge.kind = MachineKind::kConstant;
  options_.world.edge.slowdown = bench.edge_slowdown;
  options_.world.queue.kind = QueueKind::kEmpty;
}

void Truth::Begin(std::uint64_t seed) { world_ = std::make_unique<World>(options_.world, seed); }

PlanRun Truth::Run(const PlanCost& cost, bool entropy, double now_us) {
  const WaitRule wait = [this](double) { return options_.remote_timeout_us; };
  PlanCost here = cost;
  for (double* const us :
       {&here.head_us, &here.encode_us, &here.entropy_us, &here.tail_on_device_us}) {
    *us *= device_slowdown_;
  }
  return RunPlan(here, entropy && cost.entropy_bytes_up > 0, {.now_us = now_us, .jitter = false},
                 wait, *world_);
}

double Truth::RewardOf(const PlanCost& cost, double now_us, double deadline_us) {
  const PlanRun run = Run(cost, false, now_us);
  return Reward({.accuracy = AccuracyOf(cost, table_).value_or(0),
                 .latency_us = run.end_us - now_us,
                 .deadline_us = deadline_us,
                 .device_us = run.DeviceUs(),
                 .radio_us = run.uplink_us + run.downlink_us},
                options_.reward);
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

}  // namespace cleave::sacd
