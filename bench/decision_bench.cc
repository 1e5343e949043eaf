// Measures the time of one decision against the number of plans. The goals are at most 10 us with
// 500 exact plans, also where their table is looked up by the shapes of the inputs; at most 50 us
// with 10,000 plans of five exits, all encodings, limits of accuracy and a deadline; and at most 50
// us for a learned policy of 64 plans, features included.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "device/plan_tables.h"
#include "device/shape_costs.h"
#include "link/estimator.h"
#include "policy/constraints.h"
#include "policy/features.h"
#include "policy/learned.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/policy_files.h"
#include "policy/policy_spec.h"
#include "support/odd_models.h"

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
// The same with a model's own table, which is looked up by the shapes of the inputs at hand among
// those of others that were seen before.
void DecideAtAKnownShape(benchmark::State& state) {
  const int cuts = static_cast<int>(state.range(0));
  onnx::ModelProto proto = testing::EmptyModel();
  onnx::GraphProto& graph = *proto.mutable_graph();
  testing::DescribeAs("t0", onnx::TensorProto::FLOAT, {"N", "L"}, *graph.add_input());
  testing::DescribeAs(absl::StrCat("t", cuts), onnx::TensorProto::FLOAT, {"N", "L"},
                      *graph.add_output());
  for (int i = 0; i < cuts; ++i) {
    testing::AddNode(graph, "Relu", {absl::StrCat("t", i)}, absl::StrCat("t", i + 1));
  }
  const testing::TempDir folder;
  setenv("CLEAVE_CACHE_DIR", (folder.path() + "/cache").c_str(), 1);
  DeviceOptions options;
  options.plans.cuts = "all";
  options.runtime.shapes["t0"] = {1, 64};
  const auto model =
      LocalModel::Load(folder.Write("chain.onnx", proto.SerializeAsString()), options);
  if (!model.ok()) return state.SkipWithError(model.status().ToString().c_str());
  ShapeBook book(*model);
  PlanTables tables(*model);
  const auto terms_at = [&](std::int64_t length) {
    PlanTableTerms terms;
    terms.shapes = {{1, length}};
    terms.costs = book.Get(terms.shapes);
    terms.encodings = {Encoding::kFp32};
    return terms;
  };
  for (std::int64_t length = 1; length <= 32; ++length) tables.Get(nullptr, terms_at(length));
  const auto policy = MakePolicy("dynamic", Constraints());
  const Observation observation = ObservationAfterATransfer();
  std::int64_t length = 0;
  for (auto _ : state) {
    length = length % 32 + 1;
    const auto table = tables.Get(nullptr, terms_at(length));
    benchmark::DoNotOptimize((*policy)->Decide(*table, observation));
  }
}
BENCHMARK(DecideAtAKnownShape)->Arg(500)->Unit(benchmark::kMicrosecond);

BENCHMARK(DecideAmong)->Arg(10)->Arg(50)->Arg(500)->Unit(benchmark::kMicrosecond);

// Returns exits x cuts x 8 encodings as a device's table has them: with the depth of the cut the
// head grows and the tail shrinks, tensors have sizes of their own, and accuracy rises with exit
// and bits.
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
// A limit that every plan meets is the most work.
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

Observation ObservationWithDeadline() {
  Observation observation = ObservationAfterATransfer();
  observation.deadline_us = 1e5;
  RunHistory history;
  history.Add({.predicted_us = 1e4, .latency_us = 1.2e4, .missed = false, .remote = true});
  history.Add({.predicted_us = 1e4, .latency_us = 1.1e4, .missed = false, .remote = true});
  observation.recent = history.Get();
  return observation;
}

// Returns as many plans of the table as a policy is trained for, spread over it; the last one stays
// on the device.
std::vector<Plan> SomePlans(const PlanTable& table, std::size_t count) {
  std::vector<Plan> plans;
  for (std::size_t i = 1; i <= count; ++i) {
    plans.push_back(table.plans[i * table.plans.size() / count - 1].plan);
  }
  return plans;
}

void FeaturizePlans(benchmark::State& state) {
  const PlanTable table = ElasticTableOf(500);
  const std::vector<std::optional<int>> rows =
      RowsOf(table, SomePlans(table, static_cast<std::size_t>(state.range(0))));
  const Observation observation = ObservationWithDeadline();
  Features features;
  for (auto _ : state) {
    benchmark::DoNotOptimize(observation);
    Featurize(table, rows, observation, NoBar(), features);
    benchmark::DoNotOptimize(features.plans.data());
  }
}
BENCHMARK(FeaturizePlans)->Arg(16)->Arg(64)->Unit(benchmark::kMicrosecond);

// The ranges are the number of plans and the width of the two hidden layers.
void DecideLearned(benchmark::State& state) {
  const PlanTable table = ElasticTableOf(500);
  const std::string digest(64, '0');
  const PolicyCard card =
      testing::CardFor(SomePlans(table, static_cast<std::size_t>(state.range(0))), digest);
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("cleave_decision_bench_" + std::to_string(getpid()) + ".onnx"))
                               .string();
  if (!WriteFileAtomically(path, testing::DrawnPolicy(card, state.range(1), 1)).ok()) {
    state.SkipWithError("cannot write the policy");
    return;
  }
  const auto policy = LoadLearnedPolicy(path, digest, NoBar());
  std::filesystem::remove(path);
  if (!policy.ok()) {
    state.SkipWithError(policy.status().ToString().c_str());
    return;
  }
  const Observation observation = ObservationWithDeadline();
  if ((*policy)->Decide(table, observation).reason == Reason::kUnfamiliar) {
    state.SkipWithError("the network does not decide");
    return;
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(observation);
    benchmark::DoNotOptimize((*policy)->Decide(table, observation));
  }
}
BENCHMARK(DecideLearned)
    ->Args({16, 32})
    ->Args({64, 32})
    ->Args({64, 64})
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
