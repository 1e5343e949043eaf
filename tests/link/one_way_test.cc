#include "link/one_way.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

constexpr std::int64_t kOtherClock = 7'000'000'000;

// Returns a probe that was sent at `sent_us` and took `delay_us` to arrive.
ProbeTiming Probe(double bytes, std::int64_t sent_us, std::int64_t delay_us) {
  return {bytes, sent_us, sent_us + delay_us + kOtherClock, 2.0 * static_cast<double>(delay_us)};
}

TEST(OneWayTimerTest, TheDifferenceToASmallProbeIsTheTimeOfTheBytes) {
  OneWayTimer timer;
  timer.AddSmall(Probe(80, 1'000'000, 10'000));
  const auto sample = timer.Compare(Probe(2'080, 1'500'000, 18'000));
  ASSERT_TRUE(sample.has_value());
  EXPECT_EQ(sample->bytes_up, 2'000);
  EXPECT_EQ(sample->network_us, 8'000);
  EXPECT_EQ(sample->round_trips, 0);
  EXPECT_EQ(sample->bytes_down, 0);
}

TEST(OneWayTimerTest, TheQuickestSmallProbeCounts) {
  OneWayTimer timer;
  for (const std::int64_t delay_us : {12'000, 10'000, 25'000}) {
    timer.AddSmall(Probe(80, 1'000'000 + delay_us, delay_us));
  }
  EXPECT_EQ(timer.Compare(Probe(1'080, 1'100'000, 14'000))->network_us, 4'000);
}

TEST(OneWayTimerTest, ALargeProbeThatWasNoSlowerTookNoTimeAtAll) {
  OneWayTimer timer;
  timer.AddSmall(Probe(80, 1'000'000, 10'000));
  EXPECT_EQ(timer.Compare(Probe(1'080, 1'100'000, 9'500))->network_us, 1);
}

TEST(OneWayTimerTest, OldProbesDoNotCount) {
  OneWayTimer timer;
  EXPECT_FALSE(timer.Compare(Probe(1'080, 1'000'000, 9'500)).has_value());
  timer.AddSmall(Probe(80, 1'000'000, 10'000));
  EXPECT_TRUE(timer.Compare(Probe(1'080, 4'900'000, 12'000)).has_value());
  EXPECT_FALSE(timer.Compare(Probe(1'080, 5'100'000, 12'000)).has_value());
  timer.AddSmall(Probe(80, 6'000'000, 11'000));
  EXPECT_EQ(timer.Compare(Probe(1'080, 6'100'000, 12'000))->network_us, 1'000);
}

TEST(OneWayTimerTest, TheQuickestRoundTripOfTheLastSecondsCounts) {
  OneWayTimer timer;
  EXPECT_EQ(timer.QuickestRoundTripUs(), 0);
  timer.AddSmall(Probe(80, 1'000'000, 300));
  timer.AddSmall(Probe(80, 2'000'000, 12'000));
  EXPECT_EQ(timer.QuickestRoundTripUs(), 600);
  timer.AddSmall(Probe(80, 5'500'000, 9'000));
  EXPECT_EQ(timer.QuickestRoundTripUs(), 18'000) << "the first is too old";
}

TEST(OneWayTimerTest, GivesSmallProbesTheQuickestRoundTripAndLargeOnesTheirWayUp) {
  OneWayTimer timer;
  EXPECT_EQ(timer.SampleOf(Probe(2'080, 900'000, 18'000), 500).round_trips, 1)
      << "nothing to compare";
  EXPECT_EQ(timer.SampleOf(Probe(80, 1'000'000, 10'000), 64).network_us, 20'000);
  EXPECT_EQ(timer.SampleOf(Probe(80, 1'100'000, 15'000), 64).network_us, 20'000);
  const TransferSample large = timer.SampleOf(Probe(2'080, 1'500'000, 18'000), 500);
  EXPECT_EQ(large.round_trips, 0);
  EXPECT_EQ(large.bytes_up, 2'000);
  EXPECT_EQ(large.network_us, 8'000);
  EXPECT_EQ(timer.SampleOf({2'080, 1'600'000, 0, 30'000}, 500).network_us, 30'000)
      << "edge tells no time";
}

TEST(OneWayTimerTest, ASmallerProbeIsComparedWithNothing) {
  OneWayTimer timer;
  timer.AddSmall(Probe(80, 1'000'000, 10'000));
  EXPECT_FALSE(timer.Compare(Probe(80, 1'100'000, 12'000)).has_value());
}

}  // namespace
}  // namespace cleave
