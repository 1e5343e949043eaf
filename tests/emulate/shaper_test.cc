#include "emulate/shaper.h"

#include <gtest/gtest.h>

#include <random>

namespace cleave::emulate {
namespace {

TEST(Shaper, BytesLeaveOneAfterTheOther) {
  Shaper shaper({.rate_bps = 8e6}, 0);  // One byte a microsecond.
  EXPECT_EQ(shaper.Depart(1000, 0), 1000);
  EXPECT_EQ(shaper.Depart(500, 0), 1500);
  EXPECT_EQ(shaper.Depart(100, 5000), 5100);  // What passed unused is lost.
}

TEST(Shaper, WithoutARateNothingWaits) {
  Shaper shaper({}, 0);
  EXPECT_EQ(shaper.Depart(1 << 30, 7), 7);
}

TEST(Shaper, NeverGivesMoreThanTheRate) {
  constexpr double kBps = 5e6;
  Shaper shaper({.rate_bps = kBps}, 0);
  std::mt19937 random(1);
  std::int64_t now_us = 0;
  std::int64_t sent = 0;
  for (int i = 0; i < 2000; ++i) {
    now_us += static_cast<std::int64_t>(random() % 3000);
    const auto bytes = static_cast<std::int64_t>(random() % 4000 + 1);
    const std::int64_t done_us = shaper.Depart(bytes, now_us);
    sent += bytes;
    EXPECT_GE(done_us, now_us);
    EXPECT_LE(static_cast<double>(sent) * 8, kBps * static_cast<double>(done_us) * 1e-6 + 8);
  }
}

TEST(Shaper, FollowsATrace) {
  const auto trace = Trace::Parse("2\n4\n10\n", "trace");
  ASSERT_TRUE(trace.ok());
  Shaper shaper({.trace = *trace}, 1'000'000);
  EXPECT_EQ(shaper.Depart(1500, 1'000'000), 1'002'000);
  EXPECT_EQ(shaper.Depart(1500, 1'000'000), 1'004'000);
  EXPECT_EQ(shaper.Depart(1, 1'005'000), 1'010'000);
  EXPECT_EQ(shaper.Depart(1500, 1'010'500), 1'012'000);  // The next period.
}

TEST(Shaper, CountsHeadersAsAnEthernetLinkDoes) {
  EXPECT_EQ(WireBytes(0), 0);
  EXPECT_EQ(WireBytes(1), 67);
  EXPECT_EQ(WireBytes(1448), 1514);
  EXPECT_EQ(WireBytes(1449), 1449 + 2 * 66);
}

TEST(LinkShape, RefusesNonsense) {
  EXPECT_TRUE(LinkShape{}.Validate().ok());
  EXPECT_FALSE((LinkShape{.rate_bps = 0}).Validate().ok());
  EXPECT_FALSE((LinkShape{.delay_us = -1}).Validate().ok());
  EXPECT_FALSE((LinkShape{.rate_bps = 1e6, .trace = *Trace::Parse("1\n", "t")}).Validate().ok());
}

}  // namespace
}  // namespace cleave::emulate
