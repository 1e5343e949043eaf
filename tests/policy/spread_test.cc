#include "policy/spread.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cleave {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

PlanCost Remote() {
  PlanCost cost;
  cost.head_us = 3'000;
  cost.encode_us = 1'000;
  cost.bytes_up = 1'000;
  cost.bytes_down = 10;
  cost.tail_us = 2'000;
  return cost;
}

PlanCost Local() {
  PlanCost cost;
  cost.head_us = 10'000;
  return cost;
}

Observation Sure() {
  Observation observation;
  observation.link.rtt_us = {5'000, 0};
  observation.link.up_us_per_byte = {1, 0};
  observation.link.down_us_per_byte = {1, 0};
  return observation;
}

TEST(TotalDeviationTest, IsZeroWhereAllIsSure) {
  EXPECT_DOUBLE_EQ(TotalDeviationUs(Remote(), Sure()), 0);
  EXPECT_DOUBLE_EQ(TotalDeviationUs(Local(), Sure()), 0);
}

TEST(TotalDeviationTest, EachPartCountsByItself) {
  Observation observation = Sure();
  observation.device_slowdown.deviation = 0.1;
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 400, 1e-9);
  EXPECT_NEAR(TotalDeviationUs(Local(), observation), 1'000, 1e-9);
  observation = Sure();
  observation.edge_slowdown.deviation = 0.5;
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 1'000, 1e-9);
  observation = Sure();
  observation.link.up_us_per_byte.deviation = 0.3;
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 300, 1e-9);
  observation = Sure();
  observation.edge_queue_us = 700;
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 700, 1e-9);
  EXPECT_DOUBLE_EQ(TotalDeviationUs(Local(), observation), 0);
}

TEST(TotalDeviationTest, PartsAddAsVariances) {
  Observation observation = Sure();
  observation.device_slowdown.deviation = 0.1;
  observation.link.up_us_per_byte.deviation = 0.3;
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 500, 1e-9);
}

TEST(TotalDeviationTest, IsThatOfTheFormThatTravels) {
  PlanCost cost = Remote();
  cost.bytes_up = 100'000;
  cost.entropy_bytes_up = 50'000;
  cost.entropy_us = 1'000;
  Observation observation = Sure();
  observation.link.up_us_per_byte.deviation = 0.1;
  EXPECT_NEAR(TotalDeviationUs(cost, observation), 5'000, 1e-9);
}

TEST(TotalDeviationTest, RecentErrorsCountWhereTheyAreLargerAndOnlyForRemotePlans) {
  Observation observation = Sure();
  observation.recent.count = 5;
  observation.recent.log_ratio_deviation = 0.2;
  const double total_us = Predict(Remote(), observation).total_us();
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 0.2 * total_us, 1e-9);
  EXPECT_DOUBLE_EQ(TotalDeviationUs(Local(), observation), 0);
  observation.link.rtt_us.deviation = 1e6;
  EXPECT_NEAR(TotalDeviationUs(Remote(), observation), 1e6, 1e-6);
  observation = Sure();
  observation.recent.log_ratio_deviation = 0.2;  // The history has no runs.
  EXPECT_DOUBLE_EQ(TotalDeviationUs(Remote(), observation), 0);
}

TEST(TotalDeviationTest, NoNumberInGivesInfinityOut) {
  Observation observation = Sure();
  observation.edge_slowdown.deviation = std::nan("");
  EXPECT_EQ(TotalDeviationUs(Remote(), observation), kInfinity);
}

TEST(LateChanceTest, IsTheTailOfStudentsTAboveTheMeanAndLogNormalBelow) {
  EXPECT_EQ(LateChance(10, 10, 4), 0.5);
  EXPECT_NEAR(LateChance(12, 10, 4), 0.211325, 1e-6);
  EXPECT_NEAR(LateChance(6, 10, 4), 0.994677, 1e-6);
  EXPECT_NEAR(LateChance(0.01, 10, 64), 1, 1e-6) << "however little is known";
  EXPECT_NEAR(LateChance(60, 10, 4), 0.000798, 1e-6) << "still one in a thousand at 25 deviations";
}

TEST(LateChanceTest, IsNeverNaN) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(LateChance(10, 9, 0), 0);
  EXPECT_EQ(LateChance(10, 10, 0), 0);
  EXPECT_EQ(LateChance(10, 11, 0), 1);
  EXPECT_EQ(LateChance(10, 1, kInfinity), 0.5);
  EXPECT_EQ(LateChance(10, kInfinity, 4), 1);
  EXPECT_EQ(LateChance(10, kNan, 4), 1);
  EXPECT_EQ(LateChance(10, 1, kNan), 1);
  EXPECT_EQ(LateChance(1e200, 1, 4), 0);
}

TEST(ChanceAboveTest, IsTheNormalTail) {
  EXPECT_NEAR(ChanceAbove(10, 10, 2), 0.5, 1e-12);
  EXPECT_NEAR(ChanceAbove(12, 10, 2), 0.158655, 1e-6);
  EXPECT_NEAR(ChanceAbove(6, 10, 2), 0.977250, 1e-6);
}

TEST(ChanceAboveTest, OfASureQuantityIsWhetherItIsAbove) {
  EXPECT_EQ(ChanceAbove(10, 10, 0), 0);
  EXPECT_EQ(ChanceAbove(10, 10.1, 0), 1);
}

TEST(ChanceAboveTest, NothingKnownIsHalfOrOne) {
  EXPECT_NEAR(ChanceAbove(10, 1, kInfinity), 0.5, 1e-12);
  EXPECT_EQ(ChanceAbove(10, kInfinity, kInfinity), 1);
  EXPECT_EQ(ChanceAbove(10, std::nan(""), 1), 1);
  EXPECT_EQ(ChanceAbove(10, std::nan(""), 0), 1);
}

}  // namespace
}  // namespace cleave
