#include "link/estimator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "link/simulated_link.h"

namespace cleave {
namespace {

constexpr double kAnswerBytes = 4000;

// Sends exchanges of these sizes in turn and lets the estimator see them.
struct Session {
  SimulatedLink link;
  LinkEstimator estimator;
  std::int64_t now_us = 1'000'000;

  void Send(double bytes_up, double bytes_down = kAnswerBytes) {
    const TransferSample sample = link.Send(bytes_up, bytes_down, now_us);
    now_us += std::llround(sample.network_us);
    estimator.AddSample(sample, now_us);
    now_us += 200'000;
  }
  void SendMixed(int rounds) {
    for (int i = 0; i < rounds; ++i) {
      Send(200'000);
      Send(300, 40);
      Send(60'000);
      Send(2'000, 2'000);
      Send(15'000);
    }
  }
  LinkEstimate Get() const { return estimator.Get(now_us); }
};

void ExpectWithin(double share, double found, double expected) {
  EXPECT_NEAR(found / expected, 1, share) << found << " instead of " << expected;
}

TEST(LinkEstimatorTest, OffersAnUnsurePriorBeforeTheFirstSample) {
  const LinkEstimate link = LinkEstimator().Get(5'000'000);
  EXPECT_FALSE(link.known);
  EXPECT_TRUE(link.up);
  EXPECT_EQ(link.age_us, 0);
  ExpectWithin(1e-9, link.rtt_us.mean, 20'000);
  ExpectWithin(1e-9, link.up_bps(), 10e6);
  EXPECT_GT(link.up_us_per_byte.deviation, link.up_us_per_byte.mean);
}

TEST(LinkEstimatorTest, PartsRoundTripAndRateFromSizes) {
  Session session;
  session.SendMixed(6);
  const LinkEstimate link = session.Get();
  EXPECT_TRUE(link.known);
  ExpectWithin(0.05, link.rtt_us.mean, 20'000);
  ExpectWithin(0.05, link.up_bps(), 50e6);
}

TEST(LinkEstimatorTest, FollowsAFallOfTheRateWithOneLargeTransfer) {
  for (const double bytes : {60e3, 200e3, 600e3}) {
    Session session;
    session.SendMixed(6);
    session.link.up_bps = 2e6;
    session.Send(bytes);
    ExpectWithin(0.1, session.Get().up_bps(), 2e6);
    ExpectWithin(0.1, session.Get().TransferUs(bytes, kAnswerBytes),
                 session.link.TransferUs(bytes, kAnswerBytes));
  }
}

TEST(LinkEstimatorTest, FollowsARiseOfTheRateWithOneLargeTransfer) {
  Session session;
  session.SendMixed(6);
  session.link.up_bps = 2e6;
  session.Send(600e3);
  session.SendMixed(4);
  session.link.up_bps = 50e6;
  session.Send(600e3);
  ExpectWithin(0.1, session.Get().up_bps(), 50e6);
  for (const double bytes : {60e3, 200e3, 600e3}) {
    ExpectWithin(0.15, session.Get().TransferUs(bytes, kAnswerBytes),
                 session.link.TransferUs(bytes, kAnswerBytes));
  }
}

TEST(LinkEstimatorTest, RecoversFromAStallWithTheNextTransfers) {
  Session session;
  session.SendMixed(6);
  session.estimator.AddSample({60'000, kAnswerBytes, 900'000}, session.now_us);
  session.now_us += 200'000;
  session.Send(60'000);
  session.Send(60'000);
  ExpectWithin(0.1, session.Get().TransferUs(60'000, kAnswerBytes),
               session.link.TransferUs(60'000, kAnswerBytes));
}

TEST(LinkEstimatorTest, ALateSmallAnswerIsTheRoundTripAndNotTheRate) {
  Session session;
  session.SendMixed(6);
  session.estimator.AddSample({300, 40, 60'000}, session.now_us);
  ExpectWithin(0.3, session.Get().up_bps(), 50e6);
  EXPECT_GT(session.Get().rtt_us.mean, 35'000);
}

TEST(LinkEstimatorTest, SmallNoisyTransfersLeaveTheRateAlone) {
  Session session;
  session.SendMixed(6);
  session.link.noise = 0.2;
  for (int i = 0; i < 200; ++i) session.Send(300, 40);
  EXPECT_GT(session.Get().up_bps(), 20e6);
  EXPECT_LT(session.Get().up_bps(), 125e6);
  ExpectWithin(0.15, session.Get().rtt_us.mean, 20'000);
}

TEST(LinkEstimatorTest, AShortTransferClaimsNoRateItCannotResolve) {
  Session session;
  session.link.up_bps = 2e6;
  session.SendMixed(6);
  // A shaper's burst lets it pass so: it takes no longer than the round trip.
  session.estimator.AddSample({3'000, 40, session.link.rtt_us}, session.now_us);
  EXPECT_LT(session.Get().up_bps(), 60e6);
  EXPECT_GT(session.Get().up_bps(), 3e6);
}

TEST(LinkEstimatorTest, BelievesTheDownlinkToBeLikeTheUplinkUntilItIsSeen) {
  Session session;
  for (int i = 0; i < 10; ++i) {
    session.Send(600'000, 40);
    session.Send(300, 40);
  }
  ExpectWithin(0.35, session.Get().down_bps(), 50e6);
}

TEST(LinkEstimatorTest, LearnsADownlinkOfItsOwn) {
  Session session;
  session.link.down_bps = 5e6;
  for (int i = 0; i < 10; ++i) {
    session.Send(300, 300'000);
    session.Send(300, 40);
    session.Send(200'000, 40);
  }
  ExpectWithin(0.1, session.Get().down_bps(), 5e6);
  ExpectWithin(0.1, session.Get().up_bps(), 50e6);
}

TEST(LinkEstimatorTest, GrowsLessSureWithAge) {
  Session session;
  session.SendMixed(6);
  const LinkEstimate fresh = session.estimator.Get(session.now_us);
  const LinkEstimate later = session.estimator.Get(session.now_us + 10'000'000);
  const LinkEstimate old = session.estimator.Get(session.now_us + 1'000'000'000'000);
  EXPECT_EQ(later.age_us, fresh.age_us + 10'000'000);
  EXPECT_GE(later.up_us_per_byte.deviation, std::sqrt(2) * fresh.up_us_per_byte.deviation);
  EXPECT_GT(old.TransferDeviationUs(1e5, 4e3), later.TransferDeviationUs(1e5, 4e3));
  ExpectWithin(0.02, later.up_bps(), fresh.up_bps());
  EXPECT_TRUE(std::isfinite(old.TransferDeviationUs(1e5, 4e3)));
}

TEST(LinkEstimatorTest, IsDownFromAFailureToTheNextSuccess) {
  Session session;
  session.SendMixed(1);
  session.estimator.AddFailure(session.now_us);
  EXPECT_FALSE(session.Get().up);
  EXPECT_TRUE(session.Get().known);
  session.Send(1'000);
  EXPECT_TRUE(session.Get().up);
}

TEST(LinkEstimatorTest, AFailureBeforeTheFirstSampleLeavesThePrior) {
  LinkEstimator estimator;
  estimator.AddFailure(1'000'000);
  EXPECT_FALSE(estimator.Get(2'000'000).up);
  EXPECT_FALSE(estimator.Get(2'000'000).known);
}

LinkEstimator Settled(std::int64_t& now_us) {
  LinkEstimator estimator;
  for (int i = 0; i < 20; ++i) {
    now_us += 100'000;
    estimator.AddSample({i % 2 == 0 ? 64. : 60'000., 64, i % 2 == 0 ? 1'000. : 10'600.}, now_us);
  }
  return estimator;
}

using Verdict = LinkEstimator::Verdict;

TEST(LinkEstimatorTest, RemembersHowFarTheRateWasTried) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  EXPECT_EQ(estimator.Get(now_us).tried_bytes, 60'000);
  for (int i = 0; i < 2; ++i) estimator.AddSample({8'000, 64, 200'000}, now_us);
  EXPECT_EQ(estimator.Get(now_us).tried_bytes, 8'000);
}

TEST(LinkEstimatorTest, ASlowProbeIsDoubtedAndTheRepeatCounts) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).up_us_per_byte.mean;
  EXPECT_EQ(estimator.AddProbe({2'000, 64, 40'000}, now_us), Verdict::kRepeat);
  EXPECT_DOUBLE_EQ(estimator.Get(now_us).up_us_per_byte.mean, before);
  EXPECT_EQ(estimator.AddProbe({2'000, 64, 1'300}, now_us), Verdict::kTaken);
  EXPECT_NEAR(estimator.Get(now_us).up_us_per_byte.mean, before, 0.1 * before);
}

TEST(LinkEstimatorTest, ProbesThatStaySlowAreBelievedByTheFastest) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).TransferUs(60'000, 64);
  EXPECT_EQ(estimator.AddProbe({60'000, 64, 100'000}, now_us), Verdict::kRepeat);
  EXPECT_EQ(estimator.AddProbe({60'000, 64, 50'000}, now_us), Verdict::kRepeat);
  EXPECT_EQ(estimator.AddProbe({60'000, 64, 70'000}, now_us), Verdict::kTaken);
  const double after = estimator.Get(now_us).TransferUs(60'000, 64);
  EXPECT_GT(after, 3 * before);
  EXPECT_LT(after, 60'000);
}

TEST(LinkEstimatorTest, AProbeThatIsVeryLateIsBelievedAtOnce) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).TransferUs(60'000, 64);
  EXPECT_EQ(estimator.AddProbe({60'000, 64, 400'000}, now_us), Verdict::kTaken);
  EXPECT_GT(estimator.Get(now_us).TransferUs(60'000, 64), 10 * before);
}

TEST(LinkEstimatorTest, OneSlowTransferIsAStallAndTwoAreALink) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).up_us_per_byte.mean;
  estimator.AddSample({60'000, 64, 22'000}, now_us);
  EXPECT_DOUBLE_EQ(estimator.Get(now_us).up_us_per_byte.mean, before);
  estimator.AddSample({60'000, 64, 10'600}, now_us);
  estimator.AddSample({60'000, 64, 22'000}, now_us);
  estimator.AddSample({60'000, 64, 22'000}, now_us);
  EXPECT_GT(estimator.Get(now_us).up_us_per_byte.mean, 1.5 * before);
}

TEST(LinkEstimatorTest, AFallOfTheRateByAFactorIsBelievedAtOnce) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).up_us_per_byte.mean;
  estimator.AddSample({60'000, 64, 250'000}, now_us);
  EXPECT_GT(estimator.Get(now_us).up_us_per_byte.mean, 10 * before);
}

TEST(LinkEstimatorTest, RealTrafficEndsTheDoubt) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  EXPECT_EQ(estimator.AddProbe({2'000, 64, 40'000}, now_us), Verdict::kRepeat);
  estimator.AddSample({60'000, 64, 10'600}, now_us);
  EXPECT_EQ(estimator.AddProbe({2'000, 64, 50'000}, now_us), Verdict::kRepeat);
  EXPECT_EQ(estimator.AddProbe({64, 64, 1'000}, now_us), Verdict::kTaken)
      << "another size, as it should be";
}

TEST(LinkEstimatorTest, ABurstIsNotTakenForAFasterLink) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).up_us_per_byte.mean;
  EXPECT_EQ(estimator.AddProbe({60'000, 64, 1'500}, now_us), Verdict::kEnlarge);
  EXPECT_EQ(estimator.AddProbe({240'000, 64, 41'000}, now_us), Verdict::kRepeat);
  EXPECT_EQ(estimator.AddProbe({240'000, 64, 40'000}, now_us), Verdict::kTaken);
  EXPECT_NEAR(estimator.Get(now_us).up_us_per_byte.mean, before, 0.1 * before);
}

TEST(LinkEstimatorTest, AFasterLinkIsBelievedAfterALargerProbe) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double before = estimator.Get(now_us).up_us_per_byte.mean;
  EXPECT_EQ(estimator.AddProbe({60'000, 64, 1'500}, now_us), Verdict::kEnlarge);
  EXPECT_EQ(estimator.AddProbe({120'000, 64, 1'200}, now_us), Verdict::kEnlarge) << "no rate yet";
  EXPECT_EQ(estimator.AddProbe({240'000, 64, 9'000}, now_us), Verdict::kEnlarge)
      << "it may be half a burst";
  EXPECT_EQ(estimator.AddProbe({1'900'000, 64, 30'000}, now_us), Verdict::kRepeat);
  EXPECT_EQ(estimator.AddProbe({1'900'000, 64, 21'000}, now_us), Verdict::kTaken);
  EXPECT_LT(estimator.Get(now_us).up_us_per_byte.mean, before / 10);
}

TEST(LinkEstimatorTest, LearnsHowLargeABurstIs) {
  std::int64_t now_us = 0;
  LinkEstimator estimator = Settled(now_us);
  const double us_per_byte = estimator.Get(now_us).up_us_per_byte.mean;
  const auto send = [&](double bytes, double paid_bytes) {
    return estimator.AddProbe({bytes, 0, std::max(1.0, paid_bytes * us_per_byte), 0}, now_us);
  };
  EXPECT_EQ(send(20'000, 0), Verdict::kEnlarge);
  EXPECT_EQ(send(80'000, 70'000), Verdict::kTaken) << "20 KB and 10 KB passed at once";
  EXPECT_NEAR(estimator.Get(now_us).burst_bytes, 30'000, 1'000);
  EXPECT_EQ(send(50'000, 25'000), Verdict::kTaken);
  EXPECT_NEAR(estimator.Get(now_us).burst_bytes, 25'000, 1'000);
  EXPECT_NEAR(estimator.Get(now_us).up_us_per_byte.mean, us_per_byte, 0.15 * us_per_byte);
  EXPECT_EQ(send(60'000, 0), Verdict::kEnlarge) << "more than ever: the link may be faster";
}

TEST(LinkEstimatorTest, IgnoresSamplesThatMakeNoSense) {
  Session session;
  session.SendMixed(2);
  const LinkEstimate before = session.Get();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  for (const TransferSample& sample :
       {TransferSample{-1, 0, 1000}, TransferSample{0, -1, 1000}, TransferSample{10, 10, -1},
        TransferSample{nan, 0, 1000}, TransferSample{10, nan, 1000}, TransferSample{10, 10, nan},
        TransferSample{10, 10, infinity}}) {
    session.estimator.AddSample(sample, session.now_us);
  }
  EXPECT_EQ(session.Get().rtt_us.mean, before.rtt_us.mean);
  EXPECT_EQ(session.Get().up_us_per_byte.mean, before.up_us_per_byte.mean);
}

TEST(EstimatorOptionsTest, NamesTheFieldThatIsOutOfRange) {
  EXPECT_TRUE(EstimatorOptions().Validate().ok());
  EstimatorOptions options;
  options.half_life_s = 0;
  EXPECT_THAT(std::string(options.Validate().message()), testing::HasSubstr("half_life_s"));
  options = {};
  options.noise = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(options.Validate().code(), absl::StatusCode::kInvalidArgument);
}

TEST(LinkEstimateTest, TransferDeviationCountsHowErrorsHangTogether) {
  LinkEstimate link;
  link.rtt_us = {20'000, 3'000};
  link.up_us_per_byte = {1, 0.3};
  EXPECT_NEAR(link.TransferDeviationUs(10'000, 0), std::hypot(3'000, 3'000), 1e-6);
  // They are fully opposed: what one has too much, the other lacks.
  link.covariance[0] = -0.3 * 3'000;
  EXPECT_NEAR(link.TransferDeviationUs(10'000, 0), 0, 1e-6);
}

}  // namespace
}  // namespace cleave
