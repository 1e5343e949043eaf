#include "profile/slowdown.h"

#include <gtest/gtest.h>

#include <random>

namespace cleave {
namespace {

TEST(SlowdownTrackerTest, IsOneBeforeAnyRun) {
  const SlowdownTracker tracker;
  EXPECT_DOUBLE_EQ(tracker.factor(), 1);
  EXPECT_GT(tracker.deviation(), 0);
}

TEST(SlowdownTrackerTest, FollowsAStepWithinThreeRuns) {
  SlowdownTracker tracker;
  std::int64_t now_us = 0;
  for (int i = 0; i < 50; ++i) tracker.Add(10'000, 10'000, ++now_us);
  EXPECT_NEAR(tracker.factor(), 1, 0.01);
  for (int i = 0; i < 3; ++i) tracker.Add(10'000, 40'000, ++now_us);
  EXPECT_NEAR(tracker.factor(), 4, 0.4);
  for (int i = 0; i < 3; ++i) tracker.Add(10'000, 10'000, ++now_us);
  EXPECT_NEAR(tracker.factor(), 1, 0.1);
  EXPECT_EQ(tracker.last_us(), now_us);
}

TEST(SlowdownTrackerTest, IgnoresSingleOutliers) {
  SlowdownTracker tracker;
  std::mt19937 random(1);
  std::normal_distribution<double> noise(1.0, 0.03);
  for (int i = 0; i < 200; ++i) {
    const double stall = i % 20 == 19 ? 10 : 1;
    tracker.Add(10'000, 10'000 * noise(random) * stall, i);
    EXPECT_NEAR(tracker.factor(), 1, 0.15) << i;
  }
}

TEST(SlowdownTrackerTest, DeviationTellsQuietFromNoisyMachines) {
  SlowdownTracker quiet;
  SlowdownTracker noisy;
  std::mt19937 random(2);
  std::normal_distribution<double> noise(1.0, 0.15);
  for (int i = 0; i < 200; ++i) {
    quiet.Add(10'000, 20'000, i);
    noisy.Add(10'000, 20'000 * noise(random), i);
  }
  EXPECT_LT(quiet.deviation(), 0.02);
  EXPECT_GT(noisy.deviation(), 0.1);
  EXPECT_NEAR(noisy.factor(), 2, 0.5);
}

TEST(SlowdownTrackerTest, VeryShortRunsSayLittle) {
  SlowdownTracker tracker;
  tracker.Add(10'000, 10'000, 1);
  tracker.Add(1, 30, 2);
  tracker.Add(1, 30, 3);
  tracker.Add(1, 30, 4);
  EXPECT_LT(tracker.factor(), 3);
}

TEST(SlowdownTrackerTest, ShortRunsDoNotSpeakForLongOnes) {
  SlowdownTracker tracker;
  tracker.Add(100'000, 100'000, 1);
  for (int i = 0; i < 10; ++i) tracker.Add(6'000, 1'200, 2 + i);
  EXPECT_GT(tracker.factor(), 0.8);
  for (int i = 0; i < 3; ++i) tracker.Add(100'000, 300'000, 20 + i);
  EXPECT_NEAR(tracker.factor(), 3, 0.3);
}

TEST(SlowdownTrackerTest, ShortRunsCountOnceThereAreNoOthers) {
  SlowdownTracker tracker;
  tracker.Add(100'000, 100'000, 0);
  for (int i = 1; i <= 400; ++i) tracker.Add(6'000, 18'000, i * 1'000'000);
  EXPECT_NEAR(tracker.factor(), 3, 0.3);
}

TEST(SlowdownTrackerTest, NonsenseIsIgnored) {
  SlowdownTracker tracker;
  tracker.Add(0, 100, 1);
  tracker.Add(100, 0, 2);
  tracker.Add(-5, 100, 3);
  EXPECT_DOUBLE_EQ(tracker.factor(), 1);
  EXPECT_EQ(tracker.last_us(), 0);
}

}  // namespace
}  // namespace cleave
