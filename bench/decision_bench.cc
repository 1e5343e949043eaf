// Time of one decision against the number of plans. Goals: at most 10 us with 500 exact plans, and
// 50 us with 10,000 plans of five exits, all encodings, bars of accuracy and a deadline.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <optional>
#include <random>

#include "link/estimator.h"
#include "policy/policy.h"

namespace cleave {
namespace {

PlanTable TableOf(int cuts) {
  std::mt19937 random(1);
  const auto uniform = [&random](double most) {
    return std::uniform_real_distribution<>(0, most)(random);
  };
  PlanTable table;
  for (int cut = 0; cut < cuts; ++cut) {
    PlanCost cost;
    cost.plan.cut = cut;
    cost.head_us = uniform(2e5);
    cost.bytes_up = 1 + uniform(6e5);
    cost.bytes_down = 4e3;
    cost.tail_us = uniform(2e4);
    table.plans.push_back(cost);
  }
  PlanCost device;
  device.plan.cut = cuts;
  device.head_us = 2e5;
  table.plans.push_back(device);
  return table;
}

Observation ObservationAfterATransfer() {
  LinkEstimator estimator;
  estimator.AddSample({60e3, 4e3, 40e3}, 1'000'000);
  Observation observation;
  observation.link = estimator.Get(2'000'000);
  return observation;
}

void DecideAmong(benchmark::State& state) {
  const PlanTable table = TableOf(static_cast<int>(state.range(0)));
  Constraints constraints;
  constraints.no_raw_input = true;
  constraints.max_device_us = 1.5e5;
  const std::unique_ptr<Policy> policy = MakeDynamicPolicy(constraints);
  const Observation observation = ObservationAfterATransfer();
  for (auto _ : state) {
    benchmark::DoNotOptimize(observation);
    benchmark::DoNotOptimize(policy->Decide(table, observation));
  }
}
BENCHMARK(DecideAmong)->Arg(10)->Arg(50)->Arg(500)->Unit(benchmark::kMicrosecond);

// Exits x cuts x 8 encodings as a device's table has them: with the depth of the cut the head grows
// and the tail shrinks, tensors have sizes of their own, and accuracy rises with exit and bits.
PlanTable ElasticTableOf(int plans) {
  constexpr int kExits = 5;
  constexpr int kEncodings = 8;
  constexpr std::array<double, kEncodings> kBits = {32, 16, 8, 6, 5, 4, 3, 2};
  std::mt19937 random(1);
  const auto uniform = [&random](double most) {
    return std::uniform_real_distribution<>(0, most)(random);
  };
  PlanTable table;
  const int cuts = plans / kExits / kEncodings;
  for (int exit = 0; exit < kExits; ++exit) {
    for (int cut = 0; cut < cuts; ++cut) {
      const double depth = (exit + 1.0) / kExits * cut / cuts;
      const double bytes = 1e3 + uniform(6e5);
      for (int i = 0; i < kEncodings; ++i) {
        PlanCost cost;
        cost.plan = {exit, cut, static_cast<Encoding>(i)};
        cost.head_us = 2e5 * depth;
        cost.encode_us = bytes * (i == 0 ? 1e-4 : 5e-4);
        cost.bytes_up = bytes * kBits[i] / 32;
        cost.bytes_down = 4e3;
        cost.tail_us = 2e4 * ((exit + 1.0) / kExits - depth);
        cost.entropy_bytes_up = (0.5 + uniform(0.6)) * cost.bytes_up;
        cost.entropy_us = 3e-3 * cost.bytes_up;
        cost.exact = exit == kExits - 1 && i == 0;
        cost.accuracy = cost.exact ? 0.9 : 0.5 + 0.1 * exit - uniform(0.01) * i;
        table.plans.push_back(cost);
      }
    }
  }
  PlanCost device;
  device.plan = {kExits - 1, cuts, Encoding::kFp32};
  device.head_us = 2e5;
  device.accuracy = 0.9;
  table.plans.push_back(device);
  table.best_accuracy = 0.9;
  return table;
}

void DecideElastic(benchmark::State& state, const Constraints& constraints,
                   std::optional<double> deadline_us) {
  const PlanTable table = ElasticTableOf(static_cast<int>(state.range(0)));
  const std::unique_ptr<Policy> policy = MakeDynamicPolicy(constraints);
  Observation observation = ObservationAfterATransfer();
  observation.deadline_us = deadline_us;
  for (auto _ : state) {
    benchmark::DoNotOptimize(observation);
    benchmark::DoNotOptimize(policy->Decide(table, observation));
  }
}
// A bar that every plan passes is the most work.
Constraints NoBar() { return {}; }
Constraints LowBar() { return {.no_raw_input = true, .max_device_us = 1.5e5, .min_accuracy = 0.1}; }
Constraints Drop() { return {.no_raw_input = true, .max_device_us = 1.5e5, .accuracy_drop = 0.05}; }
BENCHMARK_CAPTURE(DecideElastic, exact_only, NoBar(), std::nullopt)
    ->Arg(500)
    ->Arg(10'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DecideElastic, min_accuracy, LowBar(), std::nullopt)
    ->Arg(500)
    ->Arg(10'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DecideElastic, accuracy_drop, Drop(), std::nullopt)
    ->Arg(500)
    ->Arg(10'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DecideElastic, deadline_100ms, LowBar(), 1e5)
    ->Arg(500)
    ->Arg(10'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(DecideElastic, deadline_missed, LowBar(), 1.0)
    ->Arg(500)
    ->Arg(10'000)
    ->Unit(benchmark::kMicrosecond);

void AddSample(benchmark::State& state) {
  LinkEstimator estimator;
  std::int64_t now_us = 0;
  for (auto _ : state) {
    now_us += 200'000;
    estimator.AddSample({60e3, 4e3, 40e3}, now_us);
    benchmark::DoNotOptimize(estimator.Get(now_us));
  }
}
BENCHMARK(AddSample)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace cleave

BENCHMARK_MAIN();
