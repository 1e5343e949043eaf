#include "policy/reward.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cleave {
namespace {

Outcome Answer(double latency_us) {
  Outcome outcome;
  outcome.accuracy = 0.8;
  outcome.latency_us = latency_us;
  outcome.deadline_us = 20'000;
  return outcome;
}

TEST(RewardTest, FollowsTheFormula) {
  const RewardOptions options{.latency_weight = 0.2, .latency_cap = 2, .miss_penalty = 0.7};
  EXPECT_DOUBLE_EQ(Reward(Answer(10'000), options), 0.8 - 0.2 * 0.5);
  EXPECT_DOUBLE_EQ(Reward(Answer(20'000), options), 0.8 - 0.2);
  EXPECT_DOUBLE_EQ(Reward(Answer(30'000), options), 0.8 - 0.2 * 1.5 - 0.7);
  EXPECT_DOUBLE_EQ(Reward(Answer(1e9), options), 0.8 - 0.2 * 2 - 0.7);
}

TEST(RewardTest, EnergyIsFreeUnlessAskedFor) {
  Outcome outcome = Answer(10'000);
  outcome.device_us = 4'000;
  outcome.radio_us = 1'000;
  RewardOptions options;
  options.compute_w = 5;
  options.radio_w = 2;
  options.idle_w = 1;
  EXPECT_DOUBLE_EQ(EnergyJ(outcome, options), 1e-6 * (5 * 4'000 + 2 * 1'000 + 5'000));
  const double without = Reward(outcome, options);
  options.energy_weight = 3;
  EXPECT_DOUBLE_EQ(Reward(outcome, options), without - 3 * EnergyJ(outcome, options));
}

TEST(RewardTest, WeightsAreChecked) {
  EXPECT_TRUE(RewardOptions().Validate().ok());
  RewardOptions options;
  options.miss_penalty = -1;
  EXPECT_NE(options.Validate().message().find("miss_penalty"), std::string::npos);
  options.miss_penalty = std::nan("");
  EXPECT_FALSE(options.Validate().ok());
}

}  // namespace
}  // namespace cleave
