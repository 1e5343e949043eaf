#include "core/clock.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

TEST(ClockTest, TheSteadyClockNeverGoesBack) {
  std::int64_t before = Clock::Steady().NowUs();
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t now = Clock::Steady().NowUs();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(ClockTest, TheFakeClockMovesWhenTold) {
  FakeClock clock;
  const std::int64_t start = clock.NowUs();
  EXPECT_EQ(clock.NowUs(), start);
  clock.AdvanceUs(250);
  EXPECT_EQ(clock.NowUs(), start + 250);
}

}  // namespace
}  // namespace cleave
