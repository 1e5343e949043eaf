#include "experiments/sacd/stats.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace cleave::experiments::sacd {
namespace {

std::vector<Unit> Units(const std::vector<double>& sums, double count) {
  std::vector<Unit> units;
  for (const double sum : sums) units.push_back({sum, count});
  return units;
}

// The interval of one row of units.
Interval BootstrapMean(const std::vector<Unit>& units, std::uint64_t seed) {
  return BootstrapTable({units}, seed);
}

Interval BootstrapNormalized(const std::vector<Unit>& reward, const std::vector<Unit>& low,
                             const std::vector<Unit>& high, std::uint64_t seed) {
  return BootstrapNormalizedTable({reward}, low, high, seed);
}

TEST(BootstrapTest, OfNothingIsNothingAndOfOneUnitItsMean) {
  EXPECT_EQ(BootstrapMean({}, 1).mean, 0);
  const Interval one = BootstrapMean(Units({6}, 3), 1);
  EXPECT_EQ(one.mean, 2);
  EXPECT_EQ(one.low, 2);
  EXPECT_EQ(one.high, 2);
}

TEST(BootstrapTest, TheSameSeedGivesTheSameInterval) {
  const std::vector<Unit> units = Units({1, 5, 2, 9, 4, 4, 7}, 2);
  const Interval a = BootstrapMean(units, 7);
  const Interval b = BootstrapMean(units, 7);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_LT(a.low, a.mean);
  EXPECT_GT(a.high, a.mean);
}

TEST(BootstrapTest, UnitsWeighByWhatTheyHold) {
  const std::vector<Unit> units = {{.sum = 10, .count = 1}, {.sum = 0, .count = 9}};
  EXPECT_DOUBLE_EQ(BootstrapMean(units, 1).mean, 1);
}

// Of independent normal units the interval is that of the normal distribution, about.
TEST(BootstrapTest, IsNearTheIntervalOfTheNormalDistribution) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal(5, 2);
  std::vector<double> values;
  for (int i = 0; i < 400; ++i) values.push_back(normal(random));
  const Interval interval = BootstrapMean(Units(values, 1), 1);
  const double half = 1.96 * 2 / std::sqrt(400.0);
  EXPECT_NEAR(interval.high - interval.mean, half, 0.2 * half);
  EXPECT_NEAR(interval.mean - interval.low, half, 0.2 * half);
}

TEST(NormalizedTest, RandomIsZeroAndOracleOne) {
  const std::vector<Unit> low = Units({1, 2, 3}, 1);
  const std::vector<Unit> high = Units({5, 4, 6}, 1);
  EXPECT_DOUBLE_EQ(BootstrapNormalized(low, low, high, 1).mean, 0);
  const Interval oracle = BootstrapNormalized(high, low, high, 1);
  EXPECT_DOUBLE_EQ(oracle.mean, 1);
  EXPECT_DOUBLE_EQ(oracle.low, 1);
  EXPECT_DOUBLE_EQ(oracle.high, 1);
}

// What hits all policies of a unit alike leaves no trace in the normalized reward.
TEST(NormalizedTest, UnitsAreDrawnTogether) {
  std::vector<Unit> low, middle, high;
  for (int i = 0; i < 20; ++i) {
    const double common = i * i;
    low.push_back({common, 1});
    middle.push_back({common + 3, 1});
    high.push_back({common + 4, 1});
  }
  const Interval interval = BootstrapNormalized(middle, low, high, 1);
  EXPECT_NEAR(interval.low, 0.75, 1e-9);
  EXPECT_NEAR(interval.high, 0.75, 1e-9);
}

TEST(NormalizedTest, IsZeroWhereNothingIsToBeGained) {
  const std::vector<Unit> same = Units({1, 2}, 1);
  EXPECT_EQ(BootstrapNormalized(Units({5, 6}, 1), same, same, 1).mean, 0);
  EXPECT_EQ(BootstrapNormalized(Units({5, 6}, 1), {}, same, 1).mean, 0);
}

TEST(BootstrapTableTest, FilesThatDifferWidenTheInterval) {
  const std::vector<Unit> courses = Units({4, 4, 4, 4, 4}, 1);
  const std::vector<Unit> better = Units({6, 6, 6, 6, 6}, 1);
  const Interval one = BootstrapTable({courses}, 1);
  EXPECT_EQ(one.low, one.high);
  const Interval two = BootstrapTable({courses, better}, 1);
  EXPECT_EQ(two.mean, 5);
  EXPECT_EQ(two.low, 4);
  EXPECT_EQ(two.high, 6);
}

TEST(SpearmanTest, RanksAndNotValuesCount) {
  const std::vector<double> a = {1, 2, 3, 4};
  const std::vector<double> b = {-100, 0, 1, 1000};
  const std::vector<double> c = {4, 3, 2, 1};
  EXPECT_NEAR(Spearman(a, b), 1, 1e-12);
  EXPECT_NEAR(Spearman(a, c), -1, 1e-12);
  const std::vector<double> swapped = {2, 1, 3, 4};
  EXPECT_NEAR(Spearman(a, swapped), 0.8, 1e-12);
  const std::vector<double> same = {1, 1, 1, 1};
  EXPECT_EQ(Spearman(a, same), 0);
  EXPECT_EQ(Spearman({}, {}), 0);
}

TEST(OverlapTest, TouchingIsOverlapping) {
  EXPECT_TRUE(Overlap({1, 0, 2}, {3, 2, 4}));
  EXPECT_FALSE(Overlap({1, 0, 2}, {4, 2.1, 5}));
}

}  // namespace
}  // namespace cleave::experiments::sacd
