#include "device/queue_tracker.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

constexpr std::int64_t kMs = 1'000;

TEST(QueueTrackerTest, KnowsOfNoWaitBeforeTheFirstReport) {
  EXPECT_EQ(QueueTracker().ExpectedUs(5'000'000), 0);
}

TEST(QueueTrackerTest, AReportHoldsForTheMomentAndThenTheMeanDoes) {
  QueueTracker queue;
  std::int64_t now_us = 0;
  for (int i = 0; i < 200; ++i) {
    now_us += 50 * kMs;
    queue.Report(i % 4 == 0 ? 20'000 : 0, now_us);
  }
  now_us += 50 * kMs;
  queue.Report(20'000, now_us);
  EXPECT_NEAR(queue.ExpectedUs(now_us), 20'000, 1);
  EXPECT_NEAR(queue.ExpectedUs(now_us + 200 * kMs), 5'000, 1'500);
}

TEST(QueueTrackerTest, FollowsAQueueThatStays) {
  QueueTracker queue;
  queue.Report(0, 0);
  std::int64_t now_us = 0;
  for (int i = 0; i < 4; ++i) {
    now_us += 500 * kMs;
    queue.Report(300'000, now_us);
  }
  EXPECT_GT(queue.ExpectedUs(now_us + 400 * kMs), 200'000);
}

TEST(QueueTrackerTest, ForgetsWhenNothingIsHeard) {
  QueueTracker queue;
  queue.Report(300'000, 0);
  EXPECT_GT(queue.ExpectedUs(1'000 * kMs), 200'000);
  EXPECT_EQ(queue.ExpectedUs(10'000 * kMs), 0);
}

}  // namespace
}  // namespace cleave
