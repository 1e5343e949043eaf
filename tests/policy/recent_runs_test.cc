#include "policy/recent_runs.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cleave {
namespace {

TEST(RunHistoryTest, OneRunIsAllThereIs) {
  RunHistory history;
  history.Add({.predicted_us = 10'000, .latency_us = 20'000, .missed = true, .remote = true});
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
  for (int i = 0; i < 100; ++i)
    history.Add({.predicted_us = 10'000, .latency_us = 20'000, .missed = true, .remote = true});
  for (int i = 0; i < 20; ++i)
    history.Add({.predicted_us = 10'000, .latency_us = 10'000, .missed = false, .remote = false});
  EXPECT_EQ(history.Get().count, RunHistory::kFull);
  EXPECT_LT(history.Get().miss_share, 0.05);
  EXPECT_LT(history.Get().mean_log_ratio, 0.05);
  EXPECT_GT(history.Get().mean_log_ratio, 0);
  EXPECT_FALSE(history.Get().last_missed);
}

TEST(RunHistoryTest, SpreadIsThatOfTheRatios) {
  RunHistory history;
  for (int i = 0; i < 1000; ++i)
    history.Add({.predicted_us = 10'000,
                 .latency_us = i % 2 == 0 ? 10'000.0 : 20'000.0,
                 .missed = false,
                 .remote = true});
  EXPECT_NEAR(history.Get().log_ratio_deviation, std::log(2.0) / 2, 0.05);
}

TEST(RunHistoryTest, SenselessRunsAreIgnored) {
  RunHistory history;
  history.Add({.predicted_us = 0, .latency_us = 10, .missed = false, .remote = false});
  history.Add({.predicted_us = 10, .latency_us = 0, .missed = false, .remote = false});
  history.Add({.predicted_us = std::numeric_limits<double>::infinity(),
               .latency_us = 10,
               .missed = false,
               .remote = false});
  history.Add({.predicted_us = std::nan(""), .latency_us = 10, .missed = false, .remote = false});
  EXPECT_EQ(history.Get().count, 0);
}

}  // namespace
}  // namespace cleave
