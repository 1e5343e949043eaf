#include "link/probe_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "link/estimator.h"

namespace cleave {
namespace {

LinkEstimate LinkOf(double bps, double rtt_us = 20'000) {
  LinkEstimate link;
  link.rtt_us.mean = rtt_us;
  link.up_us_per_byte.mean = link.down_us_per_byte.mean = 8e6 / bps;
  link.known = true;
  return link;
}

struct Sent {
  std::int64_t at_us;
  std::int64_t bytes;
};

// Asks when the planner says so, as its caller does, and sends whatever is due.
std::vector<Sent> Drive(ProbePlanner& planner, const LinkEstimate& link, std::int64_t from_us,
                        std::int64_t for_us, bool succeed = true) {
  std::vector<Sent> sent;
  for (std::int64_t now_us = from_us; now_us < from_us + for_us;
       now_us = planner.NextCheckUs(now_us)) {
    const std::optional<std::int64_t> bytes = planner.Due(link, now_us);
    if (!bytes) continue;
    planner.OnProbeSent(*bytes, now_us);
    succeed ? planner.OnProbeSucceeded(now_us) : planner.OnProbeFailed(now_us);
    sent.push_back({now_us, *bytes});
  }
  return sent;
}

TEST(ProbePlannerTest, SpendsNoMoreThanItsShareInAnyLongWindow) {
  constexpr std::int64_t kSecond = 1'000'000;
  const ProbeOptions options;
  for (const double bps : {1e5, 5e5, 2e6, 50e6, 1e9, 1e10}) {
    ProbePlanner planner;
    const std::vector<Sent> sent = Drive(planner, LinkOf(bps), kSecond, 600 * kSecond);
    ASSERT_GT(sent.size(), 10U) << bps;
    for (std::int64_t start_us = 0; start_us < 500 * kSecond; start_us += 10 * kSecond) {
      double bytes = 0;
      for (const Sent& probe : sent) {
        const bool inside = probe.at_us >= start_us && probe.at_us < start_us + 100 * kSecond;
        if (inside) bytes += static_cast<double>(probe.bytes + options.overhead_bytes);
      }
      // The content of one bucket may have been saved up before the window.
      const double bucket = bps / 8 * 0.01 * 1;
      EXPECT_LE(bytes, bps / 8 * 100 * options.max_link_share + bucket + 1000) << bps;
    }
  }
}

TEST(ProbePlannerTest, PairsALargeProbeWithASmallOne) {
  ProbePlanner planner;
  const std::vector<Sent> sent = Drive(planner, LinkOf(2e6), 1'000'000, 20'000'000);
  ASSERT_GT(sent.size(), 10U);
  for (std::size_t i = 1; i < sent.size(); ++i) {
    const auto [small, large] = std::minmax(sent[i].bytes, sent[i - 1].bytes);
    EXPECT_EQ(small, ProbeOptions().min_bytes);
    EXPECT_GT(large, 1'000);
    EXPECT_LT(large, 5'000);
  }
}

TEST(ProbePlannerTest, ALargeProbeStandsOutOfTheRoundTripsNoise) {
  for (const double rtt_us : {200.0, 20'000.0, 300'000.0}) {
    ProbePlanner planner;
    const LinkEstimate link = LinkOf(1e6, rtt_us);
    std::int64_t largest = 0;
    for (const Sent& probe : Drive(planner, link, 1'000'000, 120'000'000)) {
      largest = std::max(largest, probe.bytes);
    }
    EXPECT_GT(static_cast<double>(largest) * link.up_us_per_byte.mean, 2 * 0.05 * rtt_us);
  }
}

TEST(ProbePlannerTest, GivesCreditForLargerProbes) {
  ProbePlanner planner;
  const std::vector<Sent> sent = Drive(planner, LinkOf(2e6), 1'000'000, 20'000'000);
  const std::optional<std::int64_t> larger = planner.EnlargedBytes(sent.back().bytes);
  ASSERT_TRUE(larger.has_value());
  EXPECT_EQ(*larger, 4 * sent.back().bytes);
  EXPECT_EQ(planner.EnlargedBytes(ProbeOptions().max_bytes - 1), ProbeOptions().max_bytes);
  EXPECT_FALSE(planner.EnlargedBytes(ProbeOptions().max_bytes).has_value());
}

TEST(ProbePlannerTest, ProbesAgainSoonOnALinkThatTurnedOutSlow) {
  ProbePlanner planner;
  Drive(planner, LinkOf(1e9), 1'000'000, 20'000'000);
  planner.OnProbeSent(64 << 10, 21'000'000);
  const std::vector<Sent> sent = Drive(planner, LinkOf(1e6), 21'500'000, 10'000'000);
  ASSERT_GE(sent.size(), 2U);
  EXPECT_LT(sent[1].at_us, 26'000'000);
}

TEST(ProbePlannerTest, KeepsQuietAfterTraffic) {
  ProbePlanner planner;
  const LinkEstimate link = LinkOf(50e6);
  std::int64_t now_us = 1'000'000;
  for (int i = 0; i < 100; ++i, now_us += 200'000) {
    planner.OnTraffic(now_us);
    EXPECT_FALSE(planner.Due(link, now_us));
    EXPECT_FALSE(planner.Due(link, now_us + 199'999));
  }
  EXPECT_TRUE(planner.Due(link, now_us + ProbeOptions().quiet_us));
}

TEST(ProbePlannerTest, TriesADeadLinkWithSmallProbesAtDoublingGaps) {
  ProbePlanner planner;
  LinkEstimate link = LinkOf(50e6);
  link.up = false;
  const std::vector<Sent> sent = Drive(planner, link, 1'000'000, 60'000'000, /*succeed=*/false);
  ASSERT_GE(sent.size(), 8U);
  EXPECT_NEAR(static_cast<double>(sent[1].at_us - sent[0].at_us), 500e3, 1e3);
  EXPECT_NEAR(static_cast<double>(sent[2].at_us - sent[1].at_us), 1e6, 2e3);
  for (const Sent& probe : sent) EXPECT_EQ(probe.bytes, ProbeOptions().min_bytes);
  for (std::size_t i = 1; i < sent.size(); ++i) {
    EXPECT_LE(sent[i].at_us - sent[i - 1].at_us, ProbeOptions().max_interval_us + 100'000);
  }
}

TEST(ProbePlannerTest, StartsWithShortGapsAgainAfterASuccess) {
  ProbePlanner planner;
  LinkEstimate link = LinkOf(50e6);
  link.up = false;
  Drive(planner, link, 1'000'000, 60'000'000, /*succeed=*/false);
  planner.OnProbeSucceeded(70'000'000);
  EXPECT_FALSE(planner.Due(link, 70'200'000));
  EXPECT_TRUE(planner.Due(link, 70'300'000));
}

TEST(ProbePlannerTest, NeverAsksToBeAskedAtOnceNorTooLate) {
  ProbePlanner planner;
  EXPECT_GT(planner.NextCheckUs(5), 5);
  planner.Due(LinkOf(1e3), 1'000'000);
  EXPECT_GT(planner.NextCheckUs(1'000'000), 1'000'000);
  EXPECT_LE(planner.NextCheckUs(1'000'000), 1'100'000);
}

TEST(ProbeOptionsTest, NamesTheFieldThatIsOutOfRange) {
  EXPECT_TRUE(ProbeOptions().Validate().ok());
  ProbeOptions options;
  options.max_link_share = 2;
  EXPECT_THAT(std::string(options.Validate().message()), testing::HasSubstr("max_link_share"));
  options = {};
  options.max_bytes = 10;
  EXPECT_THAT(std::string(options.Validate().message()), testing::HasSubstr("max_bytes"));
}

}  // namespace
}  // namespace cleave
