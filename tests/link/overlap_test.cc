#include "link/overlap.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <random>
#include <vector>

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A link on which requests wait for one another, and answers as well.
struct Fifo {
  double rtt_us = 20'000;
  double up_us_per_byte = 4;  // 2 Mbit/s.
  double down_us_per_byte = 2;
  double noise = 0.03;  // The relative deviation of each transfer's time.
  double uplink_free_us = 0;
  double downlink_free_us = 0;
};

struct Load {
  int in_flight = 1;
  double least_bytes_up = 4'000;
  double most_bytes_up = 60'000;
  double least_bytes_down = 300;
  double most_bytes_down = 2'000;
  double edge_us = 15'000;
  double head_us = 5'000;  // The device hands over one request in so long at most.
};

class Simulation {
 public:
  Simulation(Fifo link, const Load& load) : link_(link), load_(load) {}

  void Run(int inferences) {
    const int last = sent_ + inferences;
    while (sent_ < last) {
      const bool full = static_cast<int>(waiting_.size()) >= load_.in_flight;
      const double next_us = full ? FirstAnswer()->answered_us : 0;
      if (full) EndFirst();
      now_us_ = std::max(now_us_, next_us) + load_.head_us;
      Send();
    }
  }

  Fifo& link() { return link_; }
  LinkEstimate Estimate() const { return estimator_.Get(Us(now_us_)); }

 private:
  struct Sent {
    std::int64_t number = 0;
    double bytes_up = 0;
    double bytes_down = 0;
    double sent_us = 0;
    double answered_us = 0;
  };

  static std::int64_t Us(double us) { return static_cast<std::int64_t>(us); }

  double Noisy(double us) { return us * std::max(0.5, 1 + link_.noise * normal_(random_)); }
  double Between(double least, double most) {
    return std::uniform_real_distribution<double>(least, most)(random_);
  }

  std::deque<Sent>::iterator FirstAnswer() {
    return std::min_element(waiting_.begin(), waiting_.end(), [](const Sent& a, const Sent& b) {
      return a.answered_us < b.answered_us;
    });
  }

  void Send() {
    // Answers that came in the meantime are learned from in their order.
    while (!waiting_.empty() && FirstAnswer()->answered_us <= now_us_) EndFirst();
    Sent sent;
    sent.bytes_up = Between(load_.least_bytes_up, load_.most_bytes_up);
    sent.bytes_down = Between(load_.least_bytes_down, load_.most_bytes_down);
    sent.sent_us = now_us_;
    sent.number = transfers_.Begin(sent.bytes_up, Us(now_us_));
    link_.uplink_free_us =
        std::max(now_us_, link_.uplink_free_us) + Noisy(sent.bytes_up * link_.up_us_per_byte);
    const double ready_us = link_.uplink_free_us + link_.rtt_us / 2 + load_.edge_us;
    link_.downlink_free_us = std::max(ready_us, link_.downlink_free_us) +
                             Noisy(sent.bytes_down * link_.down_us_per_byte);
    sent.answered_us = link_.downlink_free_us + link_.rtt_us / 2;
    waiting_.push_back(sent);
    ++sent_;
  }

  void EndFirst() {
    const auto first = FirstAnswer();
    const std::int64_t now_us = Us(first->answered_us);
    const std::vector<TransferSample> samples = transfers_.End(
        first->number,
        {first->bytes_up, first->bytes_down, Us(first->sent_us), now_us, load_.edge_us},
        estimator_.Get(now_us));
    for (const TransferSample& sample : samples) estimator_.AddSample(sample, now_us);
    waiting_.erase(first);
  }

  Fifo link_;
  const Load load_;
  double now_us_ = 0;
  int sent_ = 0;
  std::deque<Sent> waiting_;
  std::mt19937_64 random_{7};
  std::normal_distribution<double> normal_;
  OverlappingTransfers transfers_;
  LinkEstimator estimator_;
};

TEST(OverlappingTransfersTest, EstimatesWithSeveralInFlightAreThoseWithOne) {
  for (const double up_us_per_byte : {8.0, 1.6, 0.4}) {
    double alone_us = 0;
    for (const int in_flight : {1, 2, 4}) {
      Simulation simulation({.up_us_per_byte = up_us_per_byte}, {.in_flight = in_flight});
      simulation.Run(200);
      const double up_us = simulation.Estimate().up_us_per_byte.mean;
      EXPECT_NEAR(up_us / up_us_per_byte, 1, 0.1) << in_flight << " in flight";
      if (in_flight == 1) alone_us = up_us;
      EXPECT_NEAR(up_us / alone_us, 1, 0.1) << in_flight << " in flight";
    }
  }
}

TEST(OverlappingTransfersTest, AnswersThatShareTheDownlinkDoNotMakeTheUplinkSlow) {
  for (const int in_flight : {1, 2, 4}) {
    Simulation simulation({.up_us_per_byte = 1, .down_us_per_byte = 1},
                          {.in_flight = in_flight,
                           .least_bytes_up = 4'000,
                           .most_bytes_up = 30'000,
                           .least_bytes_down = 20'000,
                           .most_bytes_down = 90'000});
    simulation.Run(300);
    EXPECT_NEAR(simulation.Estimate().down_us_per_byte.mean, 1, 0.1) << in_flight << " in flight";
    EXPECT_NEAR(simulation.Estimate().up_us_per_byte.mean, 1, 0.25) << in_flight << " in flight";
  }
}

TEST(OverlappingTransfersTest, AStepOfTheRateIsFollowed) {
  for (const int in_flight : {2, 4}) {
    Simulation simulation({.up_us_per_byte = 0.8}, {.in_flight = in_flight});
    simulation.Run(100);
    simulation.link().up_us_per_byte = 8;
    simulation.Run(3 * in_flight);
    EXPECT_NEAR(simulation.Estimate().up_us_per_byte.mean / 8, 1, 0.2) << in_flight;
    simulation.link().up_us_per_byte = 0.8;
    simulation.Run(5 * in_flight);
    EXPECT_NEAR(simulation.Estimate().up_us_per_byte.mean / 0.8, 1, 0.25) << in_flight;
  }
}

LinkEstimate Link() {
  LinkEstimate link;
  link.rtt_us.mean = 10'000;
  link.up_us_per_byte.mean = 1;
  link.down_us_per_byte.mean = 1;
  return link;
}

TEST(OverlappingTransfersTest, OneAloneTellsItsWholeTime) {
  OverlappingTransfers transfers;
  const std::int64_t number = transfers.Begin(5'000, 100);
  const auto samples = transfers.End(number, {5'000, 200, 100, 40'100, 20'000}, Link());
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_EQ(samples[0].bytes_up, 5'000);
  EXPECT_EQ(samples[0].bytes_down, 200);
  EXPECT_EQ(samples[0].network_us, 20'000);
  EXPECT_EQ(samples[0].round_trips, 1);
}

TEST(OverlappingTransfersTest, OneThatWaitedTellsTheTimeOfItsBytes) {
  OverlappingTransfers transfers;
  const std::int64_t first = transfers.Begin(20'000, 0);
  const std::int64_t second = transfers.Begin(10'000, 0);
  EXPECT_EQ(transfers.UplinkWaitUs(Link(), 0), 30'000);
  EXPECT_THAT(transfers.End(first, {20'000, 0, 0, 30'000, 0}, Link()), SizeIs(1));
  const auto samples = transfers.End(second, {10'000, 0, 0, 45'000, 5'000}, Link());
  ASSERT_THAT(samples, SizeIs(1));
  EXPECT_EQ(samples[0].bytes_up, 10'000);
  EXPECT_EQ(samples[0].network_us, 10'000);
  EXPECT_EQ(samples[0].round_trips, 0);
  EXPECT_EQ(transfers.UplinkWaitUs(Link(), 45'000), 0);
}

TEST(OverlappingTransfersTest, SamplesWaitForTheRequestsBeforeTheirOwn) {
  OverlappingTransfers transfers;
  const std::int64_t first = transfers.Begin(20'000, 0);
  const std::int64_t second = transfers.Begin(10'000, 0);
  EXPECT_THAT(transfers.End(second, {10'000, 0, 0, 40'000, 0}, Link()), IsEmpty());
  EXPECT_THAT(transfers.End(first, {20'000, 0, 0, 90'000, 60'000}, Link()), SizeIs(2));
}

TEST(OverlappingTransfersTest, AfterOneWithoutAnAnswerNothingIsTold) {
  OverlappingTransfers transfers;
  const std::int64_t first = transfers.Begin(20'000, 0);
  const std::int64_t second = transfers.Begin(10'000, 0);
  EXPECT_THAT(transfers.Abandon(first, Link(), 50'000), IsEmpty());
  EXPECT_THAT(transfers.End(second, {10'000, 0, 0, 60'000, 0}, Link()), IsEmpty());
  const std::int64_t third = transfers.Begin(10'000, 70'000);
  EXPECT_THAT(transfers.End(third, {10'000, 0, 70'000, 90'000, 0}, Link()), SizeIs(1));
}

TEST(OverlappingTransfersTest, NumbersThatAreNotUnderWayAreIgnored) {
  OverlappingTransfers transfers;
  EXPECT_THAT(transfers.End(3, {}, Link()), IsEmpty());
  EXPECT_THAT(transfers.Abandon(-1, Link(), 0), IsEmpty());
  const std::int64_t number = transfers.Begin(1, 0);
  transfers.Abandon(number, Link(), 1);
  EXPECT_THAT(transfers.End(number, {}, Link()), IsEmpty());
}

}  // namespace
}  // namespace cleave
