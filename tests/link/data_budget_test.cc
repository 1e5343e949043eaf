#include "link/data_budget.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace cleave {
namespace {

constexpr double kRateBps = 8e6;  // One byte in a microsecond.

TEST(DataBudgetTest, IsFullAtFirstAndNeverFuller) {
  const DataBudget budget(kRateBps);
  EXPECT_EQ(budget.LeftBytes(0), 60e6);
  EXPECT_EQ(budget.LeftBytes(1'000'000'000), 60e6);
}

TEST(DataBudgetTest, FillsAtItsRateAndKeepsDebts) {
  DataBudget budget(kRateBps);
  budget.Spend(70e6, 1'000);
  EXPECT_EQ(budget.LeftBytes(1'000), -10e6);
  EXPECT_EQ(budget.LeftBytes(5'001'000), -5e6);
  EXPECT_EQ(budget.LeftBytes(0), -10e6);
}

TEST(DataBudgetTest, KeepsTheRateOnAverage) {
  DataBudget budget(kRateBps);
  double sent_bytes = 0;
  constexpr std::int64_t kEndUs = 600'000'000;
  for (std::int64_t now_us = 0; now_us < kEndUs; now_us += 10'000) {
    if (budget.LeftBytes(now_us) < 40'000) continue;
    budget.Spend(40'000, now_us);
    sent_bytes += 40'000;
  }
  EXPECT_NEAR(sent_bytes, 600e6 + 60e6, 1e5);
}

}  // namespace
}  // namespace cleave
