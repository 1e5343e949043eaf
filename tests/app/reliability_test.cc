#include "app/reliability.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cleave::app {
namespace {

TEST(Reliability, IsTheExactInterval) {
  // The "rule of three" in its exact form: 1 - (tail)^(1/n).
  const Reliability all = ReliabilityOf(1000, 1000);
  EXPECT_EQ(all.share, 1);
  EXPECT_NEAR(all.low, std::pow(0.025, 1.0 / 1000), 1e-12);
  EXPECT_EQ(all.high, 1);
  const Reliability none = ReliabilityOf(0, 1000);
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, 1 - std::pow(0.025, 1.0 / 1000), 1e-12);
  // One of two: the roots of (1 - p)^2 and p^2.
  EXPECT_NEAR(ReliabilityOf(1, 2).low, 1 - std::sqrt(0.975), 1e-12);
  EXPECT_NEAR(ReliabilityOf(1, 2).high, std::sqrt(0.975), 1e-12);
}

TEST(Reliability, HoldsTheShareAndNarrowsWithTheTrials) {
  double width = 1;
  for (const std::int64_t trials : {10, 100, 1'000, 10'000, 100'000}) {
    const Reliability found = ReliabilityOf(trials * 9 / 10, trials);
    EXPECT_LT(found.low, 0.9);
    EXPECT_GT(found.high, 0.9);
    EXPECT_LT(found.high - found.low, width);
    width = found.high - found.low;
  }
}

TEST(Reliability, CountsNines) {
  EXPECT_NEAR(Nines(0.999), 3, 1e-9);
  EXPECT_NEAR(Nines(0.9), 1, 1e-9);
  EXPECT_EQ(Nines(0), 0);
  EXPECT_TRUE(std::isinf(Nines(1)));
  EXPECT_EQ(ReliabilityText(ReliabilityOf(1000, 1000)),
            "100% (95% interval 99.6318% to 100%), at least 2.4 nines");
}

}  // namespace
}  // namespace cleave::app
