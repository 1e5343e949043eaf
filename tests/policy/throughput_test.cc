// What the dynamic policy chooses where many inferences overlap.
#include <gtest/gtest.h>

#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"

namespace cleave {
namespace {

PlanCost RemotePlan(int cut, double head_us, double bytes_up, double tail_us) {
  PlanCost cost;
  cost.plan.cut = cut;
  cost.head_us = head_us;
  cost.bytes_up = bytes_up;
  cost.bytes_down = 100;
  cost.tail_us = tail_us;
  return cost;
}

// The picture, a cut with a small tensor, and the device alone.
PlanTable Table() {
  PlanTable table;
  table.plans = {RemotePlan(0, 1'000, 26'000, 20'000), RemotePlan(3, 60'000, 5'000, 16'000)};
  PlanCost alone;
  alone.plan.cut = 9;
  alone.head_us = 150'000;
  table.plans.push_back(alone);
  return table;
}

// 8 us for each byte (1 Mbit/s), a round trip of 20 ms.
Observation Observed() {
  Observation observation;
  observation.link.rtt_us = {20'000, 0};
  observation.link.up_us_per_byte = {8, 0};
  observation.link.down_us_per_byte = {8, 0};
  observation.link.known = true;
  return observation;
}

Constraints Throughput(std::int64_t in_flight) {
  Constraints constraints;
  constraints.objective = Objective::kThroughput;
  constraints.max_in_flight = in_flight;
  return constraints;
}

Decision Decide(const Constraints& constraints, const Observation& observation) {
  return MakeDynamicPolicy(constraints)->Decide(Table(), observation);
}

TEST(ThroughputTest, TakesThePlanWhoseSlowestStageIsLeast) {
  // The slowest stages are 208, 60 and 150 ms.
  const Decision decision = Decide(Throughput(4), Observed());
  EXPECT_EQ(decision.index, 1);
  EXPECT_EQ(decision.reason, Reason::kThroughput);
}

TEST(ThroughputTest, IsTheTimeOfEachWhereOnlyOneIsInFlight) {
  Observation observation = Observed();
  observation.device_slowdown.mean = 1;
  observation.link.up_us_per_byte.mean = 4;
  // 146 ms by the picture, 117 ms by the cut, 150 ms alone.
  EXPECT_EQ(Decide(Throughput(1), observation).index, 1);
  observation.link.up_us_per_byte.mean = 1;
  EXPECT_EQ(Decide(Throughput(1), observation).index, 0);
  Constraints latency;
  EXPECT_EQ(Decide(latency, observation).index, 0);
}

TEST(ThroughputTest, TheBoundOfLatencyLeavesOutWhatIsTooLate) {
  Constraints constraints = Throughput(4);
  constraints.max_latency_us = 140'000;
  EXPECT_EQ(Decide(constraints, Observed()).index, 1);
  Observation late = Observed();
  late.link.rtt_us.mean = 90'000;  // 207 ms by the cut; 150 ms alone.
  constraints.max_latency_us = 160'000;
  EXPECT_EQ(Decide(constraints, late).index, 2);
  constraints.max_latency_us = 100'000;
  const Decision nearest = Decide(constraints, late);
  EXPECT_EQ(nearest.index, 2);
  EXPECT_EQ(nearest.reason, Reason::kNoneInTime);
}

TEST(ThroughputTest, WhatWaitsForTheUplinkIsLateButNoReasonAgainstAPlan) {
  Observation busy = Observed();
  busy.uplink_wait_us = 200'000;
  EXPECT_EQ(Decide(Throughput(4), busy).index, 1);
  EXPECT_EQ(Decide({}, busy).index, 2);
}

TEST(ThroughputTest, TheDataBudgetHoldsForEveryObjective) {
  Observation observation = Observed();
  observation.data_left_bytes = 6'000;
  observation.link.up_us_per_byte.mean = 0.1;
  EXPECT_EQ(Decide({}, observation).index, 1);
  observation.data_left_bytes = 5'000;
  EXPECT_EQ(Decide({}, observation).index, 2);
  EXPECT_EQ(Decide(Throughput(4), observation).index, 2);
}

TEST(ThroughputTest, ABoundOfLatencyNeedsTheObjective) {
  Constraints constraints;
  constraints.max_latency_us = 1;
  EXPECT_FALSE(constraints.Validate().ok());
  constraints.objective = Objective::kThroughput;
  EXPECT_TRUE(constraints.Validate().ok());
}

}  // namespace
}  // namespace cleave
