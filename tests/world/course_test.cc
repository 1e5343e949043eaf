// Laws of the processes that an environment is made of.
#include "world/course.h"

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "world/edge_queue.h"
#include "world/link_process.h"
#include "world/machine_process.h"

namespace cleave::world {
namespace {

std::shared_ptr<const Trace> UnevenTrace() {
  std::string text;
  for (int i = 1; i < 400; ++i) absl::StrAppend(&text, i + (i * i) / 97, "\n");
  return std::make_shared<const Trace>(Trace::Parse(text, "test").value());
}

SegmentCourse TwoRates() { return SegmentCourse(Repeated({{1'000, 2}, {500, 0}, {1'000, 8}}, 0)); }

TEST(TraceCourseTest, TransfersTakeWhatTheTraceSays) {
  const auto trace = UnevenTrace();
  TraceCourse course(trace, 0);
  for (std::int64_t bytes = 1; bytes < 3'000'000; bytes = bytes * 2 + 7) {
    EXPECT_EQ(course.FinishUs(0, static_cast<double>(bytes), kNever), trace->TimeOfBytesUs(bytes));
  }
}

TEST(TraceCourseTest, WhatPassesUntilTheEndIsWhatWasSent) {
  TraceCourse course(UnevenTrace(), 123'456);
  for (double start_us = 0; start_us < 4e6; start_us += 12'345) {
    const double end_us = course.FinishUs(start_us, 40'000, kNever);
    EXPECT_GE(course.Between(start_us, end_us + 1'000), 40'000);
    EXPECT_LT(course.Between(start_us, end_us), 40'000 + 100 * Trace::kPacketBytes);
    EXPECT_LE(course.Between(start_us, end_us), 40'000);
  }
}

TEST(SegmentCourseTest, ATransferMeetsTheDropOnItsWay) {
  SegmentCourse course = TwoRates();
  EXPECT_DOUBLE_EQ(course.FinishUs(0, 1'000, kNever), 500);
  EXPECT_DOUBLE_EQ(course.FinishUs(500, 1'000, kNever), 1'000);
  EXPECT_DOUBLE_EQ(course.FinishUs(500, 1'800, kNever), 1'600);  // Waits, then is fast.
  EXPECT_DOUBLE_EQ(course.FinishUs(1'200, 8, kNever), 1'501);
  EXPECT_EQ(course.FinishUs(500, 1'800, 1'599), kNever);
}

TEST(SegmentCourseTest, FinishIsTheInverseOfBetween) {
  SegmentCourse course = TwoRates();
  for (double start_us = 0; start_us < 5'000; start_us += 77) {
    for (const double amount : {1.0, 900.0, 25'000.0}) {
      const double end_us = course.FinishUs(start_us, amount, kNever);
      EXPECT_NEAR(course.Between(start_us, end_us), amount, 1e-6 * amount);
    }
  }
}

TEST(OutageCourseTest, NothingPassesInTheGaps) {
  OutageCourse course(std::make_unique<SegmentCourse>(Repeated({{1e6, 1}}, 0)), [] {
    return OutageCourse::Outage{100, 50};
  });
  EXPECT_DOUBLE_EQ(course.FinishUs(0, 90, kNever), 90);
  EXPECT_DOUBLE_EQ(course.FinishUs(0, 110, kNever), 160);
  EXPECT_DOUBLE_EQ(course.FinishUs(120, 10, kNever), 160);
  EXPECT_DOUBLE_EQ(course.Between(0, 300), 200);
  EXPECT_EQ(course.FinishUs(120, 10, 155), kNever);
}

// E[log2(1 + snr g)] with g exponential, by the trapezoid rule.
double MeanShannonBps(const ChannelOptions& channel) {
  constexpr double kStep = 1e-3;
  double sum = 0;
  for (double g = kStep / 2; g < 40; g += kStep) {
    sum += kStep * std::exp(-g) * std::log2(1 + channel.MeanSnr() * g);
  }
  return channel.bandwidth_hz * sum;
}

double MeanBps(const ChannelOptions& channel, std::uint64_t seed, double seconds) {
  LinkOptions options;
  options.kind = LinkKind::kChannel;
  options.channel = channel;
  LinkProcess link(options, seed);
  return 8e6 * link.up().MeanRate(0, seconds * 1e6);
}

TEST(LinkProcessTest, RayleighFadingHasTheMeanOfTheIntegral) {
  ChannelOptions channel;
  channel.block_ms = 10;
  for (const double snr_db : {-5.0, 10.0, 25.0}) {
    channel.snr_db = snr_db;
    const double expected_bps = MeanShannonBps(channel);
    EXPECT_NEAR(MeanBps(channel, 1, 1'000), expected_bps, 0.02 * expected_bps);
  }
}

TEST(LinkProcessTest, CorrelationDoesNotMoveTheMean) {
  ChannelOptions channel;
  channel.block_ms = 10;
  channel.correlation_ms = 100;
  const double expected_bps = MeanShannonBps(channel);
  EXPECT_NEAR(MeanBps(channel, 1, 10'000), expected_bps, 0.03 * expected_bps);
}

TEST(LinkProcessTest, GaussMarkovFadingForgetsAsItSays) {
  LinkOptions options;
  options.kind = LinkKind::kChannel;
  options.channel.block_ms = 10;
  options.channel.correlation_ms = 200;
  options.channel.snr_db = -30;  // Where the rate goes with |h|^2.
  LinkProcess link(options, 3);
  constexpr int kBlocks = 200'000;
  constexpr int kLag = 10;  // 100 ms: h has fallen to exp(-1/2), |h|^2 to exp(-1).
  std::vector<double> rates;
  double mean = 0;
  for (int i = 0; i < kBlocks; ++i) {
    rates.push_back(link.up().MeanRate(1e4 * i, 1e4));
    mean += rates.back() / kBlocks;
  }
  double variance = 0;
  double covariance = 0;
  for (int i = 0; i + kLag < kBlocks; ++i) {
    const double here = rates[static_cast<std::size_t>(i)] - mean;
    variance += here * here;
    covariance += here * (rates[static_cast<std::size_t>(i + kLag)] - mean);
  }
  EXPECT_NEAR(covariance / variance, std::exp(-1), 0.05);
}

TEST(LinkProcessTest, PathLossGivesTheSnrByHand) {
  ChannelOptions channel;
  channel.bandwidth_hz = 1e6;
  channel.distance_m = 100;
  channel.power_dbm = 20;
  channel.loss_1m_db = 40;
  channel.loss_exponent = 3;
  channel.noise_dbm_hz = -174;
  // 20 dBm - (40 + 30 * 2) dB - (-174 + 60) dBm = 34 dB.
  EXPECT_NEAR(10 * std::log10(channel.MeanSnr()), 34, 1e-9);
}

TEST(LinkProcessTest, TheLinkIsOutForItsShareOfTime) {
  LinkOptions options;
  options.outage_every_s = 2;
  options.outage_mean_ms = 500;
  LinkProcess link(options, 5);
  const double bps = 8e6 * link.up().MeanRate(0, 2e10);
  EXPECT_NEAR(bps, 20e6 * 2 / 2.5, 0.03 * 20e6);
  EXPECT_NEAR(link.down().MeanRate(0, 2e10), link.up().MeanRate(0, 2e10), 1e-3);
}

TEST(LinkProcessTest, ABenchPassesAsMuchInSteps) {
  LinkOptions options;
  options.kind = LinkKind::kChannel;
  options.channel.block_ms = 7;
  options.outage_every_s = 2;
  options.outage_mean_ms = 500;
  LinkProcess link(options, 3);
  options.step_us = 100'000;
  LinkProcess steps(options, 3);
  options.least_step_bps = 120e3;
  LinkProcess lifted(options, 3);
  bool out = false;
  for (double t_us = 0; t_us < 1e7; t_us += options.step_us) {
    const double bytes = link.up().Between(t_us, t_us + options.step_us);
    EXPECT_NEAR(steps.up().Between(t_us, t_us + options.step_us), bytes, 1e-3);
    EXPECT_NEAR(steps.up().Between(t_us, t_us + 25'000), bytes / 4, 1e-3);
    EXPECT_NEAR(lifted.up().Between(t_us, t_us + 25'000), std::max(bytes / 4, 375.0), 1e-3);
    out |= bytes == 0;
  }
  EXPECT_TRUE(out);
}

TEST(LinkProcessTest, TracesBeginAtAPointThatIsDrawn) {
  LinkOptions options;
  options.kind = LinkKind::kTraces;
  options.traces = {{"a", UnevenTrace(), nullptr}};
  LinkProcess one(options, 1);
  LinkProcess same(options, 1);
  LinkProcess other(options, 2);
  EXPECT_EQ(one.up().FinishUs(0, 50'000, kNever), same.up().FinishUs(0, 50'000, kNever));
  EXPECT_NE(one.up().FinishUs(0, 50'000, kNever), other.up().FinishUs(0, 50'000, kNever));
}

TEST(MachineProcessTest, TheMarkovChainIsBusyForItsShareOfTime) {
  MachineOptions options;
  options.kind = MachineKind::kMarkov;
  options.slowdown = 1;
  options.busy_slowdown = 5;
  options.mean_idle_ms = 3'000;
  options.mean_busy_ms = 1'000;
  MachineProcess machine(options, 1, 10);
  constexpr int kLooks = 200'000;
  int busy = 0;
  for (int i = 0; i < kLooks; ++i) busy += machine.SlowdownAt(1e5 * i) > 2 ? 1 : 0;
  EXPECT_NEAR(static_cast<double>(busy) / kLooks, BusyShare(options), 0.02);
  EXPECT_DOUBLE_EQ(BusyShare(options), 0.25);
}

TEST(MachineProcessTest, TheWalkStaysBetweenItsWallsAndFillsThem) {
  MachineOptions options;
  options.kind = MachineKind::kWalk;
  options.walk_low = 2;
  options.walk_high = 8;
  options.walk_step = 0.3;
  MachineProcess machine(options, 1, 10);
  int below_middle = 0;
  constexpr int kLooks = 100'000;
  for (int i = 0; i < kLooks; ++i) {
    const double slowdown = machine.SlowdownAt(1e5 * i);
    ASSERT_GE(slowdown, 2 * (1 - 1e-12));
    ASSERT_LE(slowdown, 8 * (1 + 1e-12));
    below_middle += slowdown < 4 ? 1 : 0;  // The middle in the logarithm.
  }
  EXPECT_NEAR(static_cast<double>(below_middle) / kLooks, 0.5, 0.05);
}

TEST(MachineProcessTest, ARunMeetsTheChangeOnItsWay) {
  MachineOptions options;
  options.kind = MachineKind::kRecorded;
  options.recorded = {{1e6, 2}};
  MachineProcess machine(options, 1, 10);
  EXPECT_NEAR(machine.FinishUs(100, 1'000, Jitter::kMedian), 2'100, 1e-6);
}

TEST(MachineProcessTest, JitterIsAsWideAsItSays) {
  MachineOptions options;
  options.run_jitter = 0.1;
  MachineProcess machine(options, 1, 10);
  double square = 0;
  constexpr int kRuns = 50'000;
  for (int i = 0; i < kRuns; ++i) {
    const double start_us = 1e4 * i;
    square += std::pow(
        std::log((machine.FinishUs(start_us, 1'000, Jitter::kDrawn) - start_us) / 1'000), 2);
  }
  EXPECT_NEAR(std::sqrt(square / kRuns), 0.1, 0.005);
}

// Mean wait of M/G/1: load * mean service * (1 + cv^2) / (2 (1 - load)).
double PollaczekKhinchineUs(const EdgeQueueOptions& options) {
  const double load = options.load();
  return load * 1e3 * options.service_ms * (1 + options.service_cv * options.service_cv) /
         (2 * (1 - load));
}

TEST(EdgeQueueTest, MeanWaitIsPollaczekAndKhinchines) {
  for (const double cv : {0.0, 0.5, 1.0}) {
    for (const double arrivals_per_s : {20.0, 70.0}) {
      EdgeQueueOptions options;
      options.kind = QueueKind::kOthers;
      options.arrivals_per_s = arrivals_per_s;
      options.service_ms = 10;
      options.service_cv = cv;
      ASSERT_TRUE(options.Validate().ok());
      EdgeQueue queue(options, 11);
      constexpr int kLooks = 400'000;  // At even times: waits as those of Poisson arrivals.
      double sum_us = 0;
      for (int i = 0; i < kLooks; ++i) sum_us += queue.WaitUs(1e4 * i);
      const double expected_us = PollaczekKhinchineUs(options);
      EXPECT_NEAR(sum_us / kLooks, expected_us, 0.06 * expected_us)
          << "cv " << cv << ", load " << options.load();
    }
  }
}

TEST(EdgeQueueTest, TheEdgeReportsWhatItExpectsNotWhatWillBe) {
  EdgeQueueOptions options;
  options.kind = QueueKind::kOthers;
  options.arrivals_per_s = 70;
  EdgeQueue queue(options, 11);
  int differs = 0;
  double sum_real_us = 0;
  double sum_said_us = 0;
  for (int i = 0; i < 100'000; ++i) {
    const double real_us = queue.WaitUs(1e4 * i);
    const double said_us = queue.ReportedUs(1e4 * i);
    EXPECT_EQ(real_us > 0, said_us > 0);
    differs += std::abs(real_us - said_us) > 1 ? 1 : 0;
    sum_real_us += real_us;
    sum_said_us += said_us;
  }
  EXPECT_GT(differs, 50'000);
  // It does not see that a long request has still as long to go.
  EXPECT_NEAR(sum_said_us / sum_real_us, 0.85, 0.15);
}

TEST(EdgeQueueTest, RecordedWaitsRepeat) {
  EdgeQueueOptions options;
  options.kind = QueueKind::kRecorded;
  options.recorded = {{100, 5'000}, {300, 0}};
  EdgeQueue queue(options, 1);
  int waits = 0;
  for (int i = 0; i < 4'000; ++i) {
    EXPECT_EQ(queue.WaitUs(1e3 * i), queue.WaitUs(1e3 * i + 4e5));
    waits += queue.WaitUs(1e3 * i) > 0 ? 1 : 0;
  }
  EXPECT_EQ(waits, 1'000);
}

}  // namespace
}  // namespace cleave::world
