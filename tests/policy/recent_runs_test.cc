#include "policy/recent_runs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cleave {
namespace {

TEST(RunHistoryTest, OneRunIsAllThereIs) {
  RunHistory history;
  history.Add(10'000, 20'000, true, true);
  const RecentRuns& runs = history.Get();
  EXPECT_EQ(runs.count, 1);
  EXPECT_NEAR(runs.mean_log_ratio, std::log(2.0), 1e-9);
  EXPECT_NEAR(runs.last_log_ratio, std::log(2.0), 1e-9);
  EXPECT_NEAR(runs.log_ratio_deviation, 0, 1e-6);
  EXPECT_DOUBLE_EQ(runs.miss_share, 1);
  EXPECT_TRUE(runs.last_missed);
  EXPECT_TRUE(runs.last_remote);
}

TEST(RunHistoryTest, RecentRunsCountMore) {
  RunHistory history;
  for (int i = 0; i < 100; ++i) history.Add(10'000, 20'000, true, true);
  for (int i = 0; i < 20; ++i) history.Add(10'000, 10'000, false, false);
  EXPECT_EQ(history.Get().count, RunHistory::kFull);
  EXPECT_LT(history.Get().miss_share, 0.05);
  EXPECT_LT(history.Get().mean_log_ratio, 0.05);
  EXPECT_GT(history.Get().mean_log_ratio, 0);
  EXPECT_FALSE(history.Get().last_missed);
}

TEST(RunHistoryTest, SpreadIsThatOfTheRatios) {
  RunHistory history;
  for (int i = 0; i < 1000; ++i) history.Add(10'000, i % 2 == 0 ? 10'000 : 20'000, false, true);
  EXPECT_NEAR(history.Get().log_ratio_deviation, std::log(2.0) / 2, 0.05);
}

TEST(RunHistoryTest, SenselessRunsAreIgnored) {
  RunHistory history;
  history.Add(0, 10, false, false);
  history.Add(10, 0, false, false);
  history.Add(std::numeric_limits<double>::infinity(), 10, false, false);
  history.Add(std::nan(""), 10, false, false);
  EXPECT_EQ(history.Get().count, 0);
}

}  // namespace
}  // namespace cleave
