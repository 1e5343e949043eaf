// Time of one decision against the number of candidate cuts. Goal: at most 10 us with 500.
#include <benchmark/benchmark.h>

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

void DecideAmong(benchmark::State& state) {
  const PlanTable table = TableOf(static_cast<int>(state.range(0)));
  Constraints constraints;
  constraints.no_raw_input = true;
  constraints.max_device_us = 1.5e5;
  const std::unique_ptr<Policy> policy = MakeDynamicPolicy(constraints);
  LinkEstimator estimator;
  estimator.AddSample({60e3, 4e3, 40e3}, 1'000'000);
  Observation observation;
  observation.link = estimator.Get(2'000'000);
  for (auto _ : state) {
    benchmark::DoNotOptimize(observation);
    benchmark::DoNotOptimize(policy->Decide(table, observation));
  }
}
BENCHMARK(DecideAmong)->Arg(10)->Arg(50)->Arg(500)->Unit(benchmark::kMicrosecond);

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
