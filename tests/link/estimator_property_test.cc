#include <gtest/gtest.h>

#include <cmath>
#include <ostream>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "link/estimator.h"
#include "link/simulated_link.h"

namespace cleave {
namespace {

struct LinkCase {
  std::string name;
  double bps;
  double rtt_us;
};

class StationaryLinkTest : public testing::TestWithParam<std::tuple<LinkCase, int>> {
 protected:
  static constexpr double kSizes[] = {600e3, 200e3, 60e3, 15e3, 1e3};

  void SetUp() override {
    const LinkCase& link_case = std::get<0>(GetParam());
    link_.rtt_us = link_case.rtt_us;
    link_.up_bps = link_.down_bps = link_case.bps;
    link_.noise = std::get<1>(GetParam()) / 100.0;
  }

  void Send() {
    const double bytes = kSizes[link_.random() % std::size(kSizes)];
    const TransferSample sample = link_.Send(bytes, 1000, now_us_);
    now_us_ += std::llround(sample.network_us);
    estimator_.AddSample(sample, now_us_);
    now_us_ += 200'000;
  }

  SimulatedLink link_;
  LinkEstimator estimator_;
  std::int64_t now_us_ = 1'000'000;
};

TEST_P(StationaryLinkTest, TheTruthLiesWithinTwoDeviations) {
  int within = 0;
  int asked = 0;
  for (int i = 0; i < 600; ++i) {
    Send();
    if (i < 20) continue;
    const LinkEstimate link = estimator_.Get(now_us_);
    for (const double bytes : kSizes) {
      const double error = std::abs(link.TransferUs(bytes, 1000) - link_.TransferUs(bytes, 1000));
      within += error <= 2 * link.TransferDeviationUs(bytes, 1000) ? 1 : 0;
      ++asked;
    }
  }
  EXPECT_GE(within, 0.85 * asked);
}

TEST_P(StationaryLinkTest, PredictsTransfersOnAverage) {
  double error_sum = 0;
  int asked = 0;
  for (int i = 0; i < 300; ++i) {
    Send();
    if (i < 20) continue;
    const LinkEstimate link = estimator_.Get(now_us_);
    for (const double bytes : kSizes) {
      error_sum += std::abs(link.TransferUs(bytes, 1000) / link_.TransferUs(bytes, 1000) - 1);
      ++asked;
    }
  }
  EXPECT_LT(error_sum / asked, 0.03 + 0.8 * link_.noise);
}

void PrintTo(const LinkCase& link_case, std::ostream* out) { *out << link_case.name; }

std::string CaseName(const testing::TestParamInfo<StationaryLinkTest::ParamType>& info) {
  return std::get<0>(info.param).name + "Noise" + std::to_string(std::get<1>(info.param));
}

INSTANTIATE_TEST_SUITE_P(Links, StationaryLinkTest,
                         testing::Combine(testing::Values(LinkCase{"Loopback", 10e9, 200},
                                                          LinkCase{"Fast", 300e6, 2'000},
                                                          LinkCase{"Wifi", 50e6, 20'000},
                                                          LinkCase{"Poor", 2e6, 20'000}),
                                          testing::Values(0, 5, 10, 20)),
                         CaseName);

// On these links, transfers take up to 48 s each: between two, the estimate ages so much that it
// follows every one.
INSTANTIATE_TEST_SUITE_P(VerySlowLink, StationaryLinkTest,
                         testing::Combine(testing::Values(LinkCase{"Edge2G", 1e5, 300'000}),
                                          testing::Values(0, 5, 10)),
                         CaseName);

TEST(LinkEstimatorPropertyTest, StaysFiniteAndPositiveWhateverItIsFed) {
  std::mt19937_64 random(7);
  const auto log_uniform = [&random](double least, double most) {
    return std::exp(std::uniform_real_distribution<>(std::log(least), std::log(most))(random));
  };
  for (int run = 0; run < 50; ++run) {
    LinkEstimator estimator;
    std::int64_t now_us = 0;
    for (int i = 0; i < 300; ++i) {
      now_us += static_cast<std::int64_t>(log_uniform(1, 1e9)) - (i % 7 == 0 ? 1000 : 0);
      const double bytes_up = i % 11 == 0 ? 0 : log_uniform(1, 1e12);
      const double bytes_down = i % 13 == 0 ? 0 : log_uniform(1, 1e12);
      const double network_us = i % 17 == 0 ? 0 : log_uniform(1e-3, 1e12);
      estimator.AddSample({bytes_up, bytes_down, network_us}, now_us);
      if (i % 19 == 0) estimator.AddFailure(now_us);
      const LinkEstimate link = estimator.Get(now_us + 5);
      for (const Estimate& part : {link.rtt_us, link.up_us_per_byte, link.down_us_per_byte}) {
        ASSERT_TRUE(std::isfinite(part.mean) && part.mean > 0);
        ASSERT_TRUE(std::isfinite(part.deviation) && part.deviation >= 0);
      }
      ASSERT_TRUE(std::isfinite(link.TransferDeviationUs(6e5, 4e3)));
    }
  }
}

TEST(LinkEstimatorPropertyTest, FollowsAnyStepWithinThreeLargeTransfers) {
  std::mt19937_64 random(11);
  const auto rate = [&random] {
    return std::exp(std::uniform_real_distribution<>(std::log(1e6), std::log(300e6))(random));
  };
  for (int run = 0; run < 200; ++run) {
    SimulatedLink link;
    link.rtt_us = 10'000;
    link.up_bps = rate();
    LinkEstimator estimator;
    std::int64_t now_us = 1'000'000;
    const auto send = [&](double bytes) {
      const TransferSample sample = link.Send(bytes, 1000, now_us);
      now_us += std::llround(sample.network_us);
      estimator.AddSample(sample, now_us);
      now_us += 200'000;
    };
    for (int i = 0; i < 10; ++i) send(i % 2 == 0 ? 300e3 : 1e3);
    link.up_bps = rate();
    for (int i = 0; i < 3; ++i) send(300e3);
    EXPECT_NEAR(estimator.Get(now_us).TransferUs(300e3, 1000) / link.TransferUs(300e3, 1000), 1,
                0.15)
        << "step to " << link.up_bps;
  }
}

}  // namespace
}  // namespace cleave
