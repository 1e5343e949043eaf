#include "device/backoff.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

TEST(Backoff, DoublesUpToTheLongest) {
  Backoff backoff(100, 1000, 1);
  for (const std::int64_t full : {100, 200, 400, 800, 1000, 1000}) {
    const std::int64_t delay = backoff.NextDelayUs();
    EXPECT_LE(delay, full);
    EXPECT_GE(delay, full - full / 4);
  }
  backoff.Reset();
  EXPECT_LE(backoff.NextDelayUs(), 100);
}

TEST(Backoff, SameSeedSameDelays) {
  Backoff a(1'000'000, 1'000'000'000, 7);
  Backoff b(1'000'000, 1'000'000'000, 7);
  Backoff c(1'000'000, 1'000'000'000, 8);
  bool differs = false;
  for (int i = 0; i < 5; ++i) {
    const std::int64_t delay = a.NextDelayUs();
    EXPECT_EQ(delay, b.NextDelayUs());
    differs = differs || delay != c.NextDelayUs();
  }
  EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace cleave
