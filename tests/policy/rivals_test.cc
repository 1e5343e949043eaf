#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "policy/features.h"
#include "policy/random.h"
#include "policy/random_cases.h"
#include "policy/splitee.h"

namespace cleave {
namespace {

using testing::Cases;
using ::testing::HasSubstr;
using testing::PlansOf;

// Exit 0 on the device (10 ms), the last exit at the edge from cut 1 (30 ms), the last exit on the
// device (80 ms), of a deadline of 100 ms.
PlanTable Table() {
  PlanTable table;
  table.best_accuracy = 0.9;
  PlanCost early;
  early.plan = {0, 2, Encoding::kFp32};
  early.head_us = 10'000;
  early.exact = false;
  early.accuracy = 0.6;
  PlanCost remote;
  remote.plan = {1, 1, Encoding::kFp32};
  remote.bytes_up = 20'000;
  PlanCost device;
  device.plan = {1, 3, Encoding::kFp32};
  device.head_us = 80'000;
  table.plans = {early, remote, device};
  return table;
}

Observation Seen() {
  Observation seen;
  seen.link.rtt_us = {10'000, 0};
  seen.link.up_us_per_byte = {1, 0};
  seen.deadline_us = 100'000;
  return seen;
}

// Plays `rounds` rounds in a world where each plan's confidence is drawn around its mean and times
// are as predicted; how often each was chosen in the second half.
std::vector<int> Play(SplitEe& bandit, const std::vector<double>& confidences, int rounds) {
  const PlanTable table = Table();
  std::mt19937 random(5);
  std::uniform_real_distribution<> noise(-0.1, 0.1);
  std::vector<int> chosen(table.plans.size(), 0);
  for (int round = 0; round < rounds; ++round) {
    const Decision decision = bandit.Choose(table, Seen());
    if (round >= rounds / 2) ++chosen[decision.index];
    SplitEe::Feedback feedback;
    feedback.taken = {table.plans[decision.index].plan, confidences[decision.index] + noise(random),
                      decision.predicted_us, decision.predicted_us};
    feedback.deadline_us = 100'000;
    EXPECT_TRUE(bandit.Learn(feedback).ok());
  }
  return chosen;
}

SplitEeOptions Options(double cost_weight) {
  SplitEeOptions options;
  options.cost_weight = cost_weight;
  options.exploration = 0.2;
  return options;
}

TEST(SplitEeTest, FindsTheBestArm) {
  const std::vector<double> confidences = {0.5, 0.85, 0.88};
  SplitEe quick(PlansOf(Table()), {}, Options(0.1));  // 0.49, 0.82 and 0.80.
  const std::vector<int> chosen = Play(quick, confidences, 2'000);
  EXPECT_GT(chosen[1], 600);
  EXPECT_LT(chosen[0], 50);
  SplitEe thrifty(PlansOf(Table()), {}, Options(2));  // 0.3, 0.25 and -0.72.
  EXPECT_GT(Play(thrifty, confidences, 4'000)[0], 1'000);
}

TEST(SplitEeTest, TriesEachArmOnceBeforeAnyTwice) {
  SplitEe bandit(PlansOf(Table()), {}, Options(0.1));
  Play(bandit, {0.1, 0.9, 0.1}, 3);
  for (const Plan& plan : PlansOf(Table())) EXPECT_EQ(bandit.SeenOf(plan), 1);
}

TEST(SplitEeTest, PassedExitsAreSideObservations) {
  const PlanTable table = Table();
  SplitEe bandit(PlansOf(table), {}, Options(0.1));
  SplitEe::Feedback feedback;
  feedback.taken = {table.plans[1].plan, 0.9, 30'000, 30'000};
  feedback.passed = {{table.plans[0].plan, 0.95, 10'000, 10'000},
                     {{7, 7, Encoding::kQ2}, 0.5, 1, 1}};  // This plan is no arm.
  feedback.deadline_us = 100'000;
  ASSERT_TRUE(bandit.Learn(feedback).ok());
  EXPECT_EQ(bandit.SeenOf(table.plans[0].plan), 1);
  EXPECT_EQ(bandit.SeenOf({7, 7, Encoding::kQ2}), 0);
  EXPECT_EQ(bandit.Choose(table, Seen()).index, 2);  // The only one never seen.
  feedback.taken = {table.plans[2].plan, 0.2, 80'000, 80'000};
  feedback.passed.clear();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(bandit.Learn(feedback).ok());
  // The early exit was never taken, and is the best of what was seen.
  EXPECT_EQ(bandit.Choose(table, Seen()).index, 0);
}

TEST(SplitEeTest, FollowsTheLinkByPrediction) {
  SplitEe bandit(PlansOf(Table()), {}, Options(0.1));
  Play(bandit, {0.5, 0.85, 0.88}, 2'000);
  Observation seen = Seen();
  seen.link.up_us_per_byte.mean = 10;  // 210 ms instead of 30.
  EXPECT_EQ(bandit.Choose(Table(), seen).index, 2);
}

TEST(SplitEeTest, LearnsWhatPredictionsMiss) {
  const PlanTable table = Table();
  SplitEe bandit(PlansOf(table), {}, Options(0.5));
  for (int round = 0; round < 300; ++round) {
    const Decision decision = bandit.Choose(table, Seen());
    // The edge always takes 150 ms more than it should.
    const double late_us = decision.index == 1 ? 150'000 : 0;
    SplitEe::Feedback feedback;
    feedback.taken = {table.plans[decision.index].plan, decision.index == 0 ? 0.3 : 0.9,
                      decision.predicted_us, decision.predicted_us + late_us};
    feedback.deadline_us = 100'000;
    ASSERT_TRUE(bandit.Learn(feedback).ok());
  }
  EXPECT_GT(bandit.SeenOf(table.plans[2].plan), bandit.SeenOf(table.plans[1].plan));
}

TEST(SplitEeTest, RespectsWhatIsNotValid) {
  Cases cases(21);
  for (int round = 0; round < 300; ++round) {
    const PlanTable table = cases.Table(3);
    const Observation seen = cases.Seen();
    const Constraints limits = cases.Limits();
    SplitEe bandit(PlansOf(table), limits, {});
    for (const PlanCost& cost : table.plans) {
      SplitEe::Feedback feedback;
      feedback.taken = {cost.plan, cases.Uniform(0, 1), 1e4, 1e4};
      feedback.deadline_us = 1e5;
      if (cases.Chance(0.2)) continue;
      ASSERT_TRUE(bandit.Learn(feedback).ok());
    }
    Features features;
    Featurize(table, RowsOf(table, PlansOf(table)), seen, limits, features);
    ASSERT_EQ(features.valid[bandit.Choose(table, seen).index], 1);
  }
}

TEST(SplitEeTest, WhatCannotBeIsNotLearned) {
  const PlanTable table = Table();
  SplitEe bandit(PlansOf(table), {}, {});
  SplitEe::Feedback good;
  good.taken = {table.plans[0].plan, 0.5, 1e4, 1e4};
  good.deadline_us = 1e5;
  const auto refused = [&](const SplitEe::Feedback& feedback, const std::string& field) {
    const absl::Status status = bandit.Learn(feedback);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr(field));
  };
  SplitEe::Feedback bad = good;
  bad.taken.confidence = 1.5;
  refused(bad, "confidence");
  bad = good;
  bad.taken.latency_us = std::nan("");
  refused(bad, "latency_us");
  bad = good;
  bad.deadline_us = 0;
  refused(bad, "deadline_us");
  bad = good;
  bad.taken.plan = {5, 5, Encoding::kQ2};
  refused(bad, "plan: found exit 5");
  bad = good;
  bad.passed = {{table.plans[1].plan, -1, 0, 0}};
  refused(bad, "confidence");
  EXPECT_EQ(bandit.SeenOf(table.plans[0].plan), 0);
  EXPECT_TRUE(bandit.Learn(good).ok());
}

TEST(SplitEeOptionsTest, AreChecked) {
  EXPECT_TRUE(SplitEeOptions().Validate().ok());
  SplitEeOptions options;
  options.exploration = -1;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("exploration"));
}

TEST(RandomPolicyTest, ValidPlansAreEquallyLikely) {
  Cases cases(22);
  const PlanTable table = cases.Table(2);
  Constraints limits;
  limits.no_raw_input = true;
  const auto policy = MakeRandomPolicy(PlansOf(table), limits, 1);
  Features features;
  Featurize(table, RowsOf(table, PlansOf(table)), Seen(), limits, features);
  const auto valid = std::count(features.valid.begin(), features.valid.end(), 1.0F);
  ASSERT_GT(valid, 2);
  constexpr int kRounds = 20'000;
  std::vector<int> chosen(table.plans.size(), 0);
  for (int round = 0; round < kRounds; ++round) ++chosen[policy->Decide(table, Seen()).index];
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    const double share = features.valid[i] / static_cast<double>(valid);
    // Five deviations of a binomial count.
    EXPECT_NEAR(chosen[i], kRounds * share, 5 * std::sqrt(kRounds * share * (1 - share))) << i;
  }
}

TEST(RandomPolicyTest, EqualSeedsDecideEqually) {
  const auto a = MakeRandomPolicy({}, {}, 7);
  const auto b = MakeRandomPolicy({}, {}, 7);
  const auto c = MakeRandomPolicy({}, {}, 8);
  int differ = 0;
  for (int i = 0; i < 100; ++i) {
    const int index = a->Decide(Table(), Seen()).index;
    EXPECT_EQ(b->Decide(Table(), Seen()).index, index);
    differ += c->Decide(Table(), Seen()).index != index;
  }
  EXPECT_GT(differ, 0);
}

TEST(RandomPolicyTest, SaysWhyItChose) {
  const auto policy = MakeRandomPolicy({}, {}, 1);
  EXPECT_EQ(policy->Decide(Table(), Seen()).reason, Reason::kRandom);
  Observation seen = Seen();
  seen.edge_usable = false;
  EXPECT_EQ(policy->Decide(Table(), seen).reason, Reason::kEdgeUnusable);
}

TEST(RandomPolicyTest, StaysInItsList) {
  const PlanTable table = Table();
  const auto policy = MakeRandomPolicy({table.plans[0].plan, table.plans[1].plan}, {}, 3);
  for (int i = 0; i < 100; ++i) EXPECT_NE(policy->Decide(table, Seen()).index, 2);
}

}  // namespace
}  // namespace cleave
