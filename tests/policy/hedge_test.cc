#include "policy/hedge.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace cleave {
namespace {

PlanCost Local(int exit, double head_us, double accuracy) {
  PlanCost cost;
  cost.plan = {exit, 10, Encoding::kFp32};
  cost.head_us = head_us;
  cost.accuracy = accuracy;
  cost.exact = false;
  return cost;
}

PlanCost Remote(int exit, double bytes_up, double accuracy) {
  PlanCost cost;
  cost.plan = {exit, 2, Encoding::kQ8};
  cost.head_us = 1'000;
  cost.encode_us = 100;
  cost.bytes_up = bytes_up;
  cost.bytes_down = 200;
  cost.tail_us = 2'000;
  cost.accuracy = accuracy;
  cost.exact = false;
  return cost;
}

// Exits at 4, 8 and 16 ms on the device; the last of them at the edge in about 15 ms.
PlanTable Table() {
  PlanTable table;
  table.plans = {Local(0, 4'000, 0.6), Local(1, 8'000, 0.7), Remote(2, 10'000, 0.85),
                 Local(2, 16'000, 0.9)};
  table.plans.back().exact = true;
  table.best_accuracy = 0.9;
  return table;
}

constexpr Decision kRemote{.index = 2};

Observation Seen(double deadline_us) {
  Observation observation;
  observation.link.known = true;
  observation.link.rtt_us = {4'000, 500};
  observation.link.up_us_per_byte = {0.8, 0.1};
  observation.link.down_us_per_byte = {0.8, 0.1};
  observation.device_slowdown = {1, 0.05};
  observation.edge_slowdown = {1, 0.1};
  observation.deadline_us = deadline_us;
  return observation;
}

double Simulate(const PlanCost& cost, const Observation& observation) {
  constexpr int kRuns = 200'000;
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  const auto draw = [&](const Estimate& e) { return e.mean + e.deviation * normal(random); };
  int late = 0;
  for (int i = 0; i < kRuns; ++i) {
    const double queue_us = observation.edge_queue_us;
    const double total_us =
        (cost.head_us + cost.encode_us) * draw(observation.device_slowdown) +
        draw(observation.link.rtt_us) + cost.bytes_up * draw(observation.link.up_us_per_byte) +
        cost.bytes_down * draw(observation.link.down_us_per_byte) + draw({queue_us, queue_us}) +
        cost.tail_us * draw(observation.edge_slowdown);
    late += total_us > *observation.deadline_us ? 1 : 0;
  }
  return static_cast<double>(late) / kRuns;
}

TEST(MissChanceTest, IsWhatAMonteCarloOfItsPartsGives) {
  const PlanCost cost = Remote(2, 10'000, 0.85);
  for (const double queue_us : {0.0, 1'500.0}) {
    for (const double deadline_us : {13'000.0, 14'500.0, 15'300.0, 16'500.0, 18'000.0}) {
      Observation observation = Seen(deadline_us);
      observation.edge_queue_us = queue_us;
      // Four standard errors of the simulation.
      EXPECT_NEAR(MissChance(cost, observation), Simulate(cost, observation), 0.0045)
          << deadline_us << " with a queue of " << queue_us;
    }
  }
}

TEST(MissChanceTest, NoDeadlineIsNeverMissed) {
  Observation observation = Seen(1);
  EXPECT_GT(MissChance(Remote(2, 10'000, 0.85), observation), 0.999);
  observation.deadline_us.reset();
  EXPECT_EQ(MissChance(Remote(2, 10'000, 0.85), observation), 0);
}

TEST(MissChanceTest, FallsAsTheDeadlineGrows) {
  double last = 1;
  for (double deadline_us = 1'000; deadline_us < 60'000; deadline_us += 500) {
    const double chance = MissChance(Remote(2, 10'000, 0.85), Seen(deadline_us));
    EXPECT_LE(chance, last);
    EXPECT_GE(chance, 0);
    last = chance;
  }
}

TEST(HedgeForTest, TakesTheMostAccurateExitThatIsSureToBeInTime) {
  EXPECT_EQ(HedgeFor(Table(), Seen(15'000), kRemote, {.max_miss = 0.01}), 1);
  EXPECT_EQ(HedgeFor(Table(), Seen(8'000), kRemote, {.max_miss = 0.01}), 0);
}

TEST(HedgeForTest, TakesTheQuickestWhereNoneIsSure) {
  EXPECT_EQ(HedgeFor(Table(), Seen(2'000), kRemote, {.max_miss = 0.01}), 0);
}

TEST(HedgeForTest, CountsWhatTheHeadHasAlreadyDone) {
  const Observation observation = Seen(9'200);
  EXPECT_EQ(HedgeFor(Table(), observation, kRemote, {.max_miss = 0.01}), 0);
  const HedgeTerms shared{.max_miss = 0.01, .constraints = {}, .shared_us = {1'000, 1'000, 1'000}};
  EXPECT_EQ(HedgeFor(Table(), observation, kRemote, shared), 1);
}

TEST(HedgeForTest, NothingWhereTheDecisionIsSureEnoughOrStaysHere) {
  EXPECT_EQ(HedgeFor(Table(), Seen(40'000), kRemote, {.max_miss = 0.01}), std::nullopt);
  EXPECT_EQ(HedgeFor(Table(), Seen(15'000), kRemote, {.max_miss = 1}), std::nullopt);
  EXPECT_EQ(HedgeFor(Table(), Seen(15'000), {.index = 3}, {.max_miss = 0.01}), std::nullopt);
  Observation observation = Seen(15'000);
  observation.deadline_us.reset();
  EXPECT_EQ(HedgeFor(Table(), observation, kRemote, {.max_miss = 0}), std::nullopt);
}

TEST(HedgeForTest, NothingWithoutAnEarlierExit) {
  PlanTable table;
  table.plans = {Remote(0, 10'000, 0.85), Local(0, 16'000, 0.9)};
  table.best_accuracy = 0.9;
  EXPECT_EQ(HedgeFor(table, Seen(15'000), {.index = 0}, {.max_miss = 0.01}), std::nullopt);
}

TEST(HedgeForTest, KeepsToTheLimitsOfTheUser) {
  HedgeTerms terms{.max_miss = 0.01, .constraints = {}, .shared_us = {}};
  terms.constraints.min_accuracy = 0.65;
  EXPECT_EQ(HedgeFor(Table(), Seen(8'000), kRemote, terms), 1) << "exit 0 is below the bar";
  terms.constraints.max_device_us = 5'000;
  EXPECT_EQ(HedgeFor(Table(), Seen(8'000), kRemote, terms), std::nullopt);
}

TEST(HedgeForTest, NothingThatWasNotCalibrated) {
  PlanTable table = Table();
  for (PlanCost& cost : table.plans) cost.accuracy.reset();
  table.best_accuracy.reset();
  EXPECT_EQ(HedgeFor(table, Seen(15'000), kRemote, {.max_miss = 0.01}), std::nullopt);
}

TEST(HedgeForTest, ASenselessEstimateStillGivesAPlan) {
  Observation observation = Seen(15'000);
  observation.link.rtt_us = {std::nan(""), std::nan("")};
  observation.device_slowdown = {1, std::nan("")};
  EXPECT_TRUE(HedgeFor(Table(), observation, kRemote, {.max_miss = 0.01}).has_value());
}

}  // namespace
}  // namespace cleave
