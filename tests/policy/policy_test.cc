#include "policy/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

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

TEST(PredictTest, AddsUpThePhases) {
  Observation observation = Observed();
  observation.device_slowdown.mean = 2;
  observation.edge_slowdown.mean = 3;
  observation.edge_queue_us = 700;
  PlanCost cost = RemotePlan(3, 40'000, 60'000, 16'000);
  cost.encode_us = 500;
  const Prediction prediction = Predict(cost, observation);
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
  EXPECT_EQ(MakeDynamicPolicy({})->Decide(Table(), observation).index, 1);
}

TEST(SimplePolicyTest, DeviceEdgeAndFixedDoAsTheySay) {
  EXPECT_EQ(MakeDevicePolicy()->Decide(Table(), Observed()).index, 3);
  EXPECT_EQ(MakeEdgePolicy()->Decide(Table(), Observed()).index, 0);
  const Decision fixed = MakeFixedPolicy(5)->Decide(Table(), Observed());
  EXPECT_EQ(fixed.index, 2);
  EXPECT_EQ(fixed.reason, Reason::kFixed);
  EXPECT_DOUBLE_EQ(fixed.predicted_us, 120'000 + 10'000 + 15'000 + 8'000 + 1'000);
}

TEST(SimplePolicyTest, FallBackToTheDevice) {
  Observation observation = Observed();
  observation.edge_usable = false;
  for (const auto& policy : {MakeEdgePolicy(), MakeFixedPolicy(5)}) {
    const Decision decision = policy->Decide(Table(), observation);
    EXPECT_EQ(decision.index, 3);
    EXPECT_EQ(decision.reason, Reason::kEdgeUnusable);
  }
  EXPECT_EQ(MakeFixedPolicy(9)->Decide(Table(), observation).reason, Reason::kFixed);
  const Decision missing = MakeFixedPolicy(4)->Decide(Table(), Observed());
  EXPECT_EQ(missing.index, 3);
  EXPECT_EQ(missing.reason, Reason::kOnlyOneLeft);
}

TEST(MakePolicyTest, ReadsSpecs) {
  for (const std::string spec : {"dynamic", "device", "edge", "fixed:0", "fixed:41"}) {
    const auto policy = MakePolicy(spec, {});
    ASSERT_TRUE(policy.ok()) << policy.status();
    EXPECT_EQ((*policy)->name(), spec);
  }
}

TEST(MakePolicyTest, RefusesOtherSpecsAndListsTheKnown) {
  for (const char* spec : {"", "fast", "fixed", "fixed:", "fixed:-1", "fixed:+1", "fixed: 1",
                           "fixed:1x", "fixed:99999999999", "Dynamic"}) {
    const absl::Status status = MakePolicy(spec, {}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << spec;
    EXPECT_THAT(std::string(status.message()), HasSubstr("dynamic, device, edge or fixed:K"));
  }
}

TEST(MakePolicyTest, RefusesPoliciesThatSendRawInputWhenThatIsForbidden) {
  const Constraints constraints{.no_raw_input = true};
  for (const char* spec : {"edge", "fixed:0"}) {
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
  for (const Reason reason :
       {Reason::kFastest, Reason::kFixed, Reason::kEdgeUnusable, Reason::kOnlyOneLeft}) {
    EXPECT_NE(ReasonName(reason), "unknown");
  }
}

}  // namespace
}  // namespace cleave
