#include "policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy_spec.h"
#include "policy/predict.h"

namespace cleave {
namespace {

using testing::HasSubstr;

PlanCost RemotePlan(int cut, double head_us, double bytes_up, double tail_us) {
  PlanCost cost;
  cost.plan.cut = cut;
  cost.head_us = head_us;
  cost.bytes_up = bytes_up;
  cost.bytes_down = 1000;
  cost.tail_us = tail_us;
  return cost;
}

PlanCost DevicePlan(int cut, double head_us) {
  PlanCost cost;
  cost.plan.cut = cut;
  cost.head_us = head_us;
  return cost;
}

// 1 us per byte up and down, a round trip of 10 ms.
Observation Observed() {
  Observation observation;
  observation.link.rtt_us = {10'000, 0};
  observation.link.up_us_per_byte = {1, 0};
  observation.link.down_us_per_byte = {1, 0};
  observation.link.known = true;
  return observation;
}

PlanTable Table() {
  PlanTable table;
  table.plans = {RemotePlan(0, 0, 600'000, 20'000), RemotePlan(3, 40'000, 60'000, 16'000),
                 RemotePlan(5, 120'000, 15'000, 8'000), DevicePlan(9, 200'000)};
  return table;
}

// Two exits, each at cut 2 in two encodings and on the device; the last one at cut 0 too.
PlanTable ElasticTable() {
  PlanTable table;
  const auto add = [&](int exit, Encoding encoding, double accuracy, PlanCost cost) {
    cost.plan.exit = exit;
    cost.plan.encoding = encoding;
    cost.accuracy = accuracy;
    cost.exact = exit == 1 && encoding == Encoding::kFp32;
    table.plans.push_back(cost);
  };
  add(0, Encoding::kFp32, 0.70, RemotePlan(2, 20'000, 40'000, 1'000));
  add(0, Encoding::kQ8, 0.69, RemotePlan(2, 20'000, 10'000, 1'000));
  add(0, Encoding::kFp32, 0.70, DevicePlan(4, 35'000));
  add(1, Encoding::kFp32, 0.90, RemotePlan(0, 0, 600'000, 20'000));
  add(1, Encoding::kFp32, 0.90, RemotePlan(2, 20'000, 40'000, 16'000));
  add(1, Encoding::kQ8, 0.89, RemotePlan(2, 20'000, 10'000, 16'000));
  add(1, Encoding::kFp32, 0.90, DevicePlan(9, 200'000));
  table.best_accuracy = 0.90;
  return table;
}

TEST(PredictTest, TakesTheFormOfTheRequestThatIsFaster) {
  PlanCost cost = RemotePlan(3, 40'000, 60'000, 16'000);
  Observation observation = Observed();
  const double plain_us = Predict(cost, observation).total_us();
  cost.entropy_bytes_up = 30'000;
  cost.entropy_us = 2'000;
  observation.device_slowdown.mean = 2;
  const Prediction good = Predict(cost, observation);
  EXPECT_TRUE(good.entropy);
  EXPECT_DOUBLE_EQ(good.encode_us, 4'000);
  EXPECT_DOUBLE_EQ(good.uplink_us, 35'000);
  EXPECT_DOUBLE_EQ(good.total_us(), plain_us + 40'000 - 30'000 + 4'000);
  observation.link.up_us_per_byte.mean = 0.1;
  const Prediction poor = Predict(cost, observation);
  EXPECT_FALSE(poor.entropy);
  EXPECT_DOUBLE_EQ(poor.encode_us, 0);
  EXPECT_DOUBLE_EQ(poor.uplink_us, 11'000);
}

TEST(PredictTest, AddsUpThePhases) {
  Observation observation = Observed();
  observation.device_slowdown.mean = 2;
  observation.edge_slowdown.mean = 3;
  observation.edge_queue_us = 700;
  PlanCost cost = RemotePlan(3, 40'000, 60'000, 16'000);
  cost.encode_us = 500;
  const Prediction prediction = Predict(cost, observation);
  EXPECT_DOUBLE_EQ(prediction.uplink_wait_us, 0);
  EXPECT_DOUBLE_EQ(prediction.head_us, 80'000);
  EXPECT_DOUBLE_EQ(prediction.encode_us, 1'000);
  EXPECT_DOUBLE_EQ(prediction.uplink_us, 65'000);
  EXPECT_DOUBLE_EQ(prediction.queue_us, 700);
  EXPECT_DOUBLE_EQ(prediction.tail_us, 48'000);
  EXPECT_DOUBLE_EQ(prediction.downlink_us, 6'000);
  EXPECT_DOUBLE_EQ(prediction.total_us(), 200'700);
}

TEST(PredictTest, TheDevicePlanKnowsNoLinkAndNoEdge) {
  Observation observation = Observed();
  observation.device_slowdown.mean = 2;
  observation.edge_queue_us = 1e6;
  EXPECT_DOUBLE_EQ(Predict(DevicePlan(9, 200'000), observation).total_us(), 400'000);
}

TEST(DynamicPolicyTest, TriesANewRateWithFewBytesFirst) {
  const auto policy = MakeDynamicPolicy({});
  const PlanTable table = Table();
  Observation observation = Observed();
  observation.link.up_us_per_byte.mean = 0.05;
  const auto cut_after = [&](double tried_bytes) {
    observation.link.tried_bytes = tried_bytes;
    const Decision decision = policy->Decide(table, observation);
    const PlanCost& cost = table.plans[decision.index];
    EXPECT_DOUBLE_EQ(decision.predicted_us, Predict(cost, observation).total_us());
    return cost.plan.cut;
  };
  EXPECT_EQ(cut_after(100'000), 0);
  EXPECT_EQ(cut_after(2'000), 3);
}

TEST(DynamicPolicyTest, MovesTheCutWithTheRate) {
  const auto policy = MakeDynamicPolicy({});
  const PlanTable table = Table();
  Observation observation = Observed();
  const auto cut_at = [&](double us_per_byte) {
    observation.link.up_us_per_byte.mean = us_per_byte;
    return table.plans[policy->Decide(table, observation).index].plan.cut;
  };
  EXPECT_EQ(cut_at(0.01), 0);
  EXPECT_EQ(cut_at(1), 3);
  EXPECT_EQ(cut_at(3), 5);
  EXPECT_EQ(cut_at(8), 9);
}

TEST(DynamicPolicyTest, IsTheArgminOverRandomTables) {
  std::mt19937 random(5);
  const auto uniform = [&random](double most) {
    return std::uniform_real_distribution<>(0, most)(random);
  };
  const auto policy = MakeDynamicPolicy({});
  for (int run = 0; run < 300; ++run) {
    PlanTable table;
    for (int cut = 0; cut < 20; ++cut) {
      table.plans.push_back(RemotePlan(cut, uniform(2e5), 1 + uniform(5e5), uniform(5e4)));
    }
    table.plans.push_back(DevicePlan(20, uniform(3e5)));
    Observation observation = Observed();
    observation.link.up_us_per_byte.mean = uniform(5);
    const Decision decision = policy->Decide(table, observation);
    EXPECT_EQ(decision.reason, Reason::kFastest);
    EXPECT_EQ(decision.predicted_us, Predict(table.plans[decision.index], observation).total_us());
    for (const PlanCost& cost : table.plans) {
      EXPECT_LE(decision.predicted_us, Predict(cost, observation).total_us());
    }
  }
}

TEST(DynamicPolicyTest, OfEqualsTakesTheOneWithFewerBytes) {
  PlanTable table;
  table.plans = {RemotePlan(0, 0, 20'000, 0), RemotePlan(1, 10'000, 10'000, 0),
                 DevicePlan(2, 500'000)};
  const auto policy = MakeDynamicPolicy({});
  EXPECT_EQ(policy->Decide(table, Observed()).index, 1);
  std::swap(table.plans[0], table.plans[1]);
  EXPECT_EQ(policy->Decide(table, Observed()).index, 0);
}

TEST(DynamicPolicyTest, StaysOnTheDeviceWithoutAnEdgeOrALink) {
  const auto policy = MakeDynamicPolicy({});
  Observation no_edge = Observed();
  no_edge.edge_usable = false;
  Observation no_link = Observed();
  no_link.link.up = false;
  for (const Observation& observation : {no_edge, no_link}) {
    const Decision decision = policy->Decide(Table(), observation);
    EXPECT_EQ(decision.index, 3);
    EXPECT_EQ(decision.reason, Reason::kEdgeUnusable);
    EXPECT_DOUBLE_EQ(decision.predicted_us, 200'000);
  }
}

TEST(DynamicPolicyTest, ABusyEdgeMovesWorkToTheDevice) {
  const auto policy = MakeDynamicPolicy({});
  Observation observation = Observed();
  observation.edge_queue_us = 300'000;
  EXPECT_EQ(policy->Decide(Table(), observation).index, 3);
}

TEST(DynamicPolicyTest, NeverSendsRawInputWhenThatIsForbidden) {
  const auto policy = MakeDynamicPolicy({.no_raw_input = true});
  Observation observation = Observed();
  observation.link.up_us_per_byte.mean = 1e-4;
  const Decision decision = policy->Decide(Table(), observation);
  EXPECT_EQ(decision.index, 1);
  EXPECT_EQ(decision.reason, Reason::kFastest);
}

TEST(DynamicPolicyTest, KeepsTheHeadWithinItsLimit) {
  Constraints constraints;
  constraints.max_device_us = 50'000;
  const auto policy = MakeDynamicPolicy(constraints);
  Observation observation = Observed();
  observation.link.up_us_per_byte.mean = 3;
  EXPECT_EQ(policy->Decide(Table(), observation).index, 1);
  observation.device_slowdown.mean = 2;
  EXPECT_EQ(policy->Decide(Table(), observation).index, 0);
  observation.edge_usable = false;
  EXPECT_EQ(policy->Decide(Table(), observation).index, 3);
  EXPECT_EQ(policy->Decide(Table(), observation).reason, Reason::kEdgeUnusable);
}

TEST(DynamicPolicyTest, TheDeviceIsLeftWhenConstraintsForbidTheRest) {
  Constraints constraints;
  constraints.no_raw_input = true;
  constraints.max_device_us = 1'000;
  const Decision decision = MakeDynamicPolicy(constraints)->Decide(Table(), Observed());
  EXPECT_EQ(decision.index, 3);
  EXPECT_EQ(decision.reason, Reason::kOnlyOneLeft);
}

TEST(DynamicPolicyTest, ADeadlineThatNothingMeetsStillGetsTheFastest) {
  Observation observation = Observed();
  observation.deadline_us = 1;
  const Decision late = MakeDynamicPolicy({})->Decide(Table(), observation);
  EXPECT_EQ(late.index, 1);
  EXPECT_EQ(late.reason, Reason::kNoneInTime);
  observation.deadline_us = 1e6;
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(Table(), observation).reason, Reason::kFastest);
}

TEST(DynamicPolicyTest, OnlyExactPlansWhereNobodySpeaksOfAccuracyOrTime) {
  const Decision decision = MakeDynamicPolicy({})->Decide(ElasticTable(), Observed());
  EXPECT_EQ(decision.index, 4);
  EXPECT_EQ(decision.reason, Reason::kFastest);
}

TEST(DynamicPolicyTest, TheFastestAboveTheBar) {
  const auto index = [](const Constraints& constraints) {
    return MakeDynamicPolicy(constraints)->Decide(ElasticTable(), Observed()).index;
  };
  EXPECT_EQ(index({.min_accuracy = 0.0}), 2);
  EXPECT_EQ(index({.min_accuracy = 0.70}), 2);
  EXPECT_EQ(index({.min_accuracy = 0.71}), 5);
  EXPECT_EQ(index({.accuracy_drop = 0.01}), 5);
  EXPECT_EQ(index({.accuracy_drop = 0.0}), 4);
  EXPECT_EQ(index({.min_accuracy = 0.6, .accuracy_drop = 0.01}), 5);
  EXPECT_EQ(index({.min_accuracy = 0.899, .accuracy_drop = 0.5}), 4);
}

TEST(DynamicPolicyTest, TheMostAccurateThatMeetsTheDeadline) {
  Observation observation = Observed();
  const auto at = [&](double deadline_us, const Constraints& constraints) {
    observation.deadline_us = deadline_us;
    return MakeDynamicPolicy(constraints)->Decide(ElasticTable(), observation);
  };
  EXPECT_EQ(at(90'000, {}).index, 4);
  EXPECT_EQ(at(90'000, {}).reason, Reason::kMostAccurate);
  EXPECT_EQ(at(60'000, {}).index, 5);
  EXPECT_EQ(at(36'000, {}).index, 2);
  EXPECT_EQ(at(30'000, {}).index, 2);
  EXPECT_EQ(at(30'000, {}).reason, Reason::kNoneInTime);
  EXPECT_EQ(at(30'000, {.min_accuracy = 0.8}).index, 5);
  EXPECT_EQ(at(30'000, {.min_accuracy = 0.8}).reason, Reason::kNoneInTime);
}

// Two exits on the device: one that takes 90 ms and one that takes 40 ms.
PlanTable TwoExits(double first_accuracy) {
  PlanTable table;
  for (const double head_us : {40e3, 90e3}) {
    PlanCost& cost = table.plans.emplace_back();
    cost.plan.exit = static_cast<int>(table.plans.size()) - 1;
    cost.head_us = head_us;
    cost.exact = cost.plan.exit == 1;
    cost.accuracy = cost.exact ? 0.9 : first_accuracy;
  }
  table.best_accuracy = 0.9;
  return table;
}

TEST(DynamicPolicyTest, AChanceToBeLateCountsAgainstAPlan) {
  Observation observation;
  observation.edge_usable = false;
  observation.deadline_us = 100e3;
  observation.device_slowdown = {1, 0.1};  // 90 ms are late in 19% of the cases.
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(TwoExits(0.73), observation).index, 0);
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(TwoExits(0.70), observation).index, 1);
  const auto means = MakeDynamicPolicy({}, DeadlineRule::kByMeans);
  EXPECT_EQ(means->Decide(TwoExits(0.73), observation).index, 1);
  observation.device_slowdown.deviation = 0.001;  // Nobody knows chances below one in a thousand.
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(TwoExits(0.8999), observation).index, 1);
}

TEST(DynamicPolicyTest, AGambleIsWorthMoreThanNothing) {
  Observation observation;
  observation.edge_usable = false;
  observation.deadline_us = 85e3;
  observation.device_slowdown = {1, 0.1};  // 90 ms are late in 72% of the cases.
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(TwoExits(0.1), observation).index, 1);
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(TwoExits(0.3), observation).index, 0);
  observation.deadline_us = 1e3;
  observation.device_slowdown.deviation = 0.001;  // Both are late for certain: the nearest one.
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(TwoExits(0.1), observation).index, 0);
}

TEST(DynamicPolicyTest, WithoutCalibrationABarOfAccuracyLeavesTheExactPlans) {
  PlanTable table = ElasticTable();
  table.best_accuracy.reset();
  for (PlanCost& cost : table.plans) cost.accuracy.reset();
  Observation observation = Observed();
  observation.deadline_us = 50'000;
  EXPECT_EQ(MakeDynamicPolicy({.accuracy_drop = 1.0})->Decide(table, observation).index, 4);
}

TEST(DynamicPolicyTest, ABarThatNothingReachesLeavesTheLastPlan) {
  const Decision decision =
      MakeDynamicPolicy({.min_accuracy = 0.95})->Decide(ElasticTable(), Observed());
  EXPECT_EQ(decision.index, 6);
  EXPECT_EQ(decision.reason, Reason::kOnlyOneLeft);
}

TEST(DynamicPolicyTest, WithoutAnEdgeADeadlineIsMetByAnEarlierExit) {
  Observation observation = Observed();
  observation.edge_usable = false;
  observation.deadline_us = 50'000;
  const Decision decision = MakeDynamicPolicy({})->Decide(ElasticTable(), observation);
  EXPECT_EQ(decision.index, 2);
  EXPECT_EQ(decision.reason, Reason::kEdgeUnusable);
}

TEST(DynamicPolicyTest, WhenNothingIsLeftTheDeviceMayTakeLonger) {
  const Constraints constraints{.max_device_us = 1'000, .min_accuracy = 0.5};
  Observation observation = Observed();
  observation.edge_usable = false;
  EXPECT_EQ(MakeDynamicPolicy(constraints)->Decide(ElasticTable(), observation).index, 2);
}

TEST(SimplePolicyTest, DeviceEdgeAndFixedDoAsTheySay) {
  EXPECT_EQ(MakeDevicePolicy()->Decide(Table(), Observed()).index, 3);
  EXPECT_EQ(MakeEdgePolicy()->Decide(Table(), Observed()).index, 0);
  const Decision fixed = MakeFixedPolicy({.cut = 5})->Decide(Table(), Observed());
  EXPECT_EQ(fixed.index, 2);
  EXPECT_EQ(fixed.reason, Reason::kFixed);
  EXPECT_DOUBLE_EQ(fixed.predicted_us, 120'000 + 10'000 + 15'000 + 8'000 + 1'000);
}

TEST(SimplePolicyTest, FallBackToTheDevice) {
  Observation observation = Observed();
  observation.edge_usable = false;
  for (const auto& policy : {MakeEdgePolicy(), MakeFixedPolicy({.cut = 5})}) {
    const Decision decision = policy->Decide(Table(), observation);
    EXPECT_EQ(decision.index, 3);
    EXPECT_EQ(decision.reason, Reason::kEdgeUnusable);
  }
  EXPECT_EQ(MakeFixedPolicy({.cut = 9})->Decide(Table(), observation).reason, Reason::kFixed);
  const Decision missing = MakeFixedPolicy({.cut = 4})->Decide(Table(), Observed());
  EXPECT_EQ(missing.index, 3);
  EXPECT_EQ(missing.reason, Reason::kOnlyOneLeft);
}

TEST(SimplePolicyTest, FixedNamesExitAndEncoding) {
  const PlanTable table = ElasticTable();
  const auto index = [&](const char* spec) {
    const auto policy = MakePolicy(spec, {});
    EXPECT_TRUE(policy.ok()) << policy.status();
    return (*policy)->Decide(table, Observed()).index;
  };
  EXPECT_EQ(index("fixed:2"), 4);
  EXPECT_EQ(index("fixed:2/q8"), 5);
  EXPECT_EQ(index("fixed:2/fp32/0"), 0);
  EXPECT_EQ(index("fixed:2/q8/0"), 1);
  EXPECT_EQ(index("edge"), 3);
}

TEST(SimplePolicyTest, AFixedExitFallsBackToItselfOnTheDevice) {
  const PlanTable table = ElasticTable();
  Observation observation = Observed();
  observation.edge_usable = false;
  const FixedPlan early{.cut = 2, .encoding = Encoding::kQ8, .exit = 0};
  EXPECT_EQ(MakeFixedPolicy(early)->Decide(table, observation).index, 2);
  const FixedPlan missing{.cut = 2, .encoding = Encoding::kQ3, .exit = 0};
  EXPECT_EQ(MakeFixedPolicy(missing)->Decide(table, Observed()).index, 2);
  const FixedPlan no_exit{.cut = 2, .encoding = Encoding::kFp32, .exit = 7};
  EXPECT_EQ(MakeFixedPolicy(no_exit)->Decide(table, Observed()).index, 6);
  EXPECT_TRUE(HasPlan(table, early));
  EXPECT_FALSE(HasPlan(table, missing));
  EXPECT_FALSE(HasPlan(table, no_exit));
}

TEST(ParseFixedPlanTest, GivesCutEncodingAndExit) {
  const std::optional<FixedPlan> plan = ParseFixedPlan("fixed:3/q6/2");
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->cut, 3);
  EXPECT_EQ(plan->encoding, Encoding::kQ6);
  EXPECT_EQ(plan->exit, 2);
  EXPECT_EQ(ParseFixedPlan("fixed:3")->exit, std::nullopt);
  EXPECT_EQ(FixedCut("fixed:3/q8"), 3);
  EXPECT_FALSE(ParseFixedPlan("edge").has_value());
  EXPECT_FALSE(ParseFixedPlan("fixed:3/q7").has_value());
}

TEST(MakePolicyTest, NamesEncodingsThatCannotBe) {
  const absl::Status unknown = MakePolicy("fixed:1/q7", {}).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("expected one of fp32 fp16 q8"));
  const absl::Status picture = MakePolicy("fixed:1/jpeg75", {}).status();
  EXPECT_EQ(picture.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(picture.message()), HasSubstr("jpeg75 at cut 1, expected cut 0"));
}

TEST(MakePolicyTest, ChecksTheConstraints) {
  const auto message = [](const Constraints& constraints) {
    return std::string(MakePolicy("dynamic", constraints).status().message());
  };
  EXPECT_THAT(message({.min_accuracy = 1.5}), HasSubstr("min_accuracy: found 1.5"));
  EXPECT_THAT(message({.accuracy_drop = -0.1}), HasSubstr("accuracy_drop: found -0.1"));
  EXPECT_THAT(message({.min_accuracy = std::nan("")}), HasSubstr("min_accuracy: found nan"));
  EXPECT_THAT(message({.max_device_us = -1}), HasSubstr("max_device_us: found -1"));
}

TEST(MakePolicyTest, ReadsSpecs) {
  for (const std::string spec : {"dynamic", "device", "edge", "fixed:0", "fixed:41", "fixed:3/q8",
                                 "fixed:3/q8/1", "fixed:0/jpeg", "fixed:2/fp32/0"}) {
    const auto policy = MakePolicy(spec, {});
    ASSERT_TRUE(policy.ok()) << policy.status();
    EXPECT_EQ((*policy)->name(), spec);
  }
}

TEST(MakePolicyTest, RefusesOtherSpecsAndListsTheKnown) {
  for (const char* spec : {"", "fast", "fixed", "fixed:", "fixed:-1", "fixed:+1", "fixed: 1",
                           "fixed:1x", "fixed:99999999999", "Dynamic", "fixed:1/q8/",
                           "fixed:1/q8/-1", "fixed:1/q8/1/2", "fixed:/q8"}) {
    const absl::Status status = MakePolicy(spec, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << spec;
    EXPECT_THAT(std::string(status.message()), HasSubstr("dynamic, device, edge or fixed:K"));
  }
}

TEST(MakePolicyTest, RefusesPoliciesThatSendRawInputWhenThatIsForbidden) {
  const Constraints constraints{.no_raw_input = true};
  for (const char* spec : {"edge", "fixed:0", "fixed:0/q4", "fixed:0/jpeg50/1"}) {
    const absl::Status status = MakePolicy(spec, constraints).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("raw input"));
  }
  EXPECT_TRUE(MakePolicy("fixed:1", constraints).ok());
  EXPECT_TRUE(MakePolicy("dynamic", constraints).ok());
}

TEST(PlanTableTest, HasCutLooksAtTheModelsIndices) {
  EXPECT_TRUE(HasCut(Table(), 5));
  EXPECT_TRUE(HasCut(Table(), 9));
  EXPECT_FALSE(HasCut(Table(), 1));
}

TEST(ReasonTest, EveryReasonHasAName) {
  for (const Reason reason : {Reason::kFastest, Reason::kFixed, Reason::kEdgeUnusable,
                              Reason::kOnlyOneLeft, Reason::kMostAccurate, Reason::kNoneInTime}) {
    EXPECT_NE(ReasonName(reason), "unknown");
  }
}

}  // namespace
}  // namespace cleave
