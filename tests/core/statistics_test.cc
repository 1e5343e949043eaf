#include "core/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cleave {
namespace {

TEST(StatisticsTest, MeanAndMedian) {
  EXPECT_EQ(Mean({}), 0);
  EXPECT_DOUBLE_EQ(Mean({1, 2, 6}), 3);
  EXPECT_EQ(Median({}), 0);
  EXPECT_DOUBLE_EQ(Median({7}), 7);
  EXPECT_DOUBLE_EQ(Median({9, 1, 3}), 3);
  EXPECT_DOUBLE_EQ(Median({4, 1, 3, 2}), 2.5);
}

TEST(StatisticsTest, QuantileIsLinearBetweenNeighbours) {
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_DOUBLE_EQ(Quantile({0, 10}, 0.25), 2.5);
  // R: quantile(c(15, 20, 35, 40, 50), 0.4, type = 7).
  EXPECT_DOUBLE_EQ(Quantile({50, 15, 40, 20, 35}, 0.4), 29);
  EXPECT_EQ(Quantile({}, 0.5), 0);
}

TEST(StatisticsTest, NearestRankQuantileIsOneOfTheValues) {
  EXPECT_EQ(NearestRankQuantile({50, 15, 40, 20, 35}, 0.4), 35);
  EXPECT_EQ(NearestRankQuantile({50, 15, 40, 20, 35}, 0.3), 20);
  EXPECT_EQ(NearestRankQuantile({2, 1}, 0), 1);
  EXPECT_EQ(NearestRankQuantile({2, 1}, 1), 2);
  EXPECT_EQ(NearestRankQuantile({}, 0.5), 0);
}

TEST(StatisticsTest, StandardErrorIsThatOfTheMean) {
  EXPECT_DOUBLE_EQ(StandardError({1, 3}), 1);
  EXPECT_DOUBLE_EQ(StandardError({2, 4, 4, 4, 5, 5, 7, 9}), std::sqrt(32.0 / 7 / 8));
}

TEST(StatisticsTest, CorrelationIsZeroWhereASideDoesNotVary) {
  EXPECT_DOUBLE_EQ(Correlation({1, 2, 3}, {2, 4, 6}), 1);
  EXPECT_DOUBLE_EQ(Correlation({1, 2, 3}, {6, 4, 2}), -1);
  EXPECT_NEAR(Correlation({1, 2, 3, 4}, {1, 3, 2, 4}), 0.8, 1e-12);
  EXPECT_EQ(Correlation({1, 1}, {1, 2}), 0);
  EXPECT_EQ(Correlation({1, 1}, {2, 2}), 0);
}

TEST(StatisticsTest, ClopperPearsonIsTheExactInterval) {
  const Bounds none = ClopperPearson(0, 1000, 0.95);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - std::pow(0.025, 1.0 / 1000), 1e-12);
  const Bounds all = ClopperPearson(1000, 1000, 0.95);
  EXPECT_NEAR(all.low, std::pow(0.025, 1.0 / 1000), 1e-12);
  EXPECT_EQ(all.high, 1);
  // The roots of (1 - p)^2 and p^2.
  EXPECT_NEAR(ClopperPearson(1, 2, 0.95).low, 1 - std::sqrt(0.975), 1e-12);
  EXPECT_NEAR(ClopperPearson(1, 2, 0.95).high, std::sqrt(0.975), 1e-12);
}

}  // namespace
}  // namespace cleave
