#include "policy/features.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "policy/policy.h"
#include "policy/random_cases.h"

namespace cleave {
namespace {

using testing::Cases;
using testing::PlansOf;

constexpr int kRounds = 2'000;

std::size_t StateIndex(absl::string_view name) {
  const auto names = StateFeatureNames();
  const auto found = std::find(names.begin(), names.end(), name);
  EXPECT_NE(found, names.end()) << name;
  return found - names.begin();
}

float StateOf(const Features& features, absl::string_view name) {
  return features.state[StateIndex(name)];
}

float PlanOf(const Features& features, int plan, absl::string_view name) {
  const auto names = PlanFeatureNames();
  const auto found = std::find(names.begin(), names.end(), name);
  EXPECT_NE(found, names.end()) << name;
  return features.plans[plan * names.size() + (found - names.begin())];
}

Features FeaturesOf(const PlanTable& table, const Observation& seen,
                    const Constraints& limits = {}) {
  Features features;
  Featurize(table, RowsOf(table, PlansOf(table)), seen, limits, features);
  return features;
}

void ExpectBounded(const std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_TRUE(std::isfinite(values[i])) << i;
    ASSERT_LE(std::abs(values[i]), kMaxFeature) << i;
  }
}

bool AnyValid(const Features& features) {
  return std::count(features.valid.begin(), features.valid.end(), 1.0F) > 0;
}

// The smaller observation that is sure of everything, over a link of 8 Mbit/s.
Observation Calm() {
  Observation seen;
  seen.link.rtt_us = {10'000, 0};
  seen.link.up_us_per_byte = {1, 0};
  seen.link.down_us_per_byte = {1, 0};
  seen.link.known = true;
  seen.deadline_us = 100'000;
  return seen;
}

TEST(FeatureNamesTest, AreDistinctAndComplete) {
  for (const auto names : {StateFeatureNames(), PlanFeatureNames()}) {
    const std::set<absl::string_view> distinct(names.begin(), names.end());
    EXPECT_EQ(distinct.size(), names.size());
    EXPECT_FALSE(distinct.contains(""));
  }
  EXPECT_EQ(StateFeatureSlack().size(), StateFeatureNames().size());
  for (const float slack : StateFeatureSlack()) EXPECT_GT(slack, 0);
}

TEST(FeaturizeTest, IsBoundedForAnyObservation) {
  Cases cases(1);
  Features features;
  for (int round = 0; round < kRounds; ++round) {
    const PlanTable table = cases.Table(1 + cases.UpTo(5));
    const Observation seen = round % 2 == 0 ? cases.ExtremeSeen() : cases.Seen();
    Featurize(table, RowsOf(table, PlansOf(table)), seen, cases.Limits(), features);
    ASSERT_EQ(features.state.size(), StateFeatureNames().size());
    ASSERT_EQ(features.plans.size(), table.plans.size() * PlanFeatureNames().size());
    ASSERT_EQ(features.valid.size(), table.plans.size());
    ASSERT_NO_FATAL_FAILURE(ExpectBounded(features.state));
    ASSERT_NO_FATAL_FAILURE(ExpectBounded(features.plans));
    ASSERT_TRUE(AnyValid(features));
  }
}

TEST(FeaturizeTest, DoesNotAllocateAgain) {
  Cases cases(2);
  const PlanTable table = cases.Table(6);
  const std::vector<std::optional<int>> rows = RowsOf(table, PlansOf(table));
  Features features;
  Featurize(table, rows, cases.Seen(), {}, features);
  const Features before = features;
  const float* const state = features.state.data();
  const float* const plans = features.plans.data();
  const float* const valid = features.valid.data();
  Featurize(table, rows, cases.Seen(), {}, features);
  EXPECT_EQ(features.state.data(), state);
  EXPECT_EQ(features.plans.data(), plans);
  EXPECT_EQ(features.valid.data(), valid);
  EXPECT_NE(features.state, before.state);
}

TEST(FeaturizeTest, ValidIsWhatLimitsAndLinkAllow) {
  Cases cases(3);
  for (int round = 0; round < kRounds; ++round) {
    const PlanTable table = cases.Table(3);
    const Observation seen = cases.Seen();
    const Constraints limits = cases.Limits();
    const Features features = FeaturesOf(table, seen, limits);
    std::vector<float> allowed;
    for (const PlanCost& cost : table.plans) {
      const bool sent = !cost.remote() || (seen.edge_usable && seen.link.up);
      allowed.push_back(sent && limits.Allows(cost, seen) &&
                        limits.AllowsAccuracy(cost, table, seen));
    }
    if (std::count(allowed.begin(), allowed.end(), 1.0F) == 0) allowed.back() = 1;
    ASSERT_EQ(features.valid, allowed) << round;
  }
}

// By the means, as kFeatureVersion has it: policies were trained with that.
TEST(FeaturizeTest, MarksWhatTheExactSearchTakes) {
  Cases cases(4);
  for (int round = 0; round < kRounds; ++round) {
    const PlanTable table = cases.Table(4);
    const Observation seen = cases.Seen();
    const Constraints limits = cases.Limits();
    const Features features = FeaturesOf(table, seen, limits);
    const Decision decision =
        MakeDynamicPolicy(limits, DeadlineRule::kByMeans)->Decide(table, seen);
    if (features.valid[decision.index] == 0 || decision.reason == Reason::kOnlyOneLeft) continue;
    for (int i = 0; i < static_cast<int>(table.plans.size()); ++i) {
      ASSERT_EQ(PlanOf(features, i, "searched"), i == decision.index) << round;
    }
    ASSERT_EQ(PlanOf(features, decision.index, "time_over_searched"), 0);
    ASSERT_EQ(PlanOf(features, decision.index, "accuracy_over_searched"), 0);
  }
}

TEST(FeaturizeTest, UnitsOfTimeDoNotMatterToPlans) {
  Cases cases(5);
  for (int round = 0; round < 200; ++round) {
    PlanTable table = cases.Table(3);
    Observation seen = cases.Seen();
    seen.deadline_us = cases.LogUniform(5e3, 1e6);
    const Features before = FeaturesOf(table, seen);
    for (PlanCost& cost : table.plans) {
      for (double* us : {&cost.head_us, &cost.encode_us, &cost.tail_us, &cost.entropy_us}) *us *= 2;
    }
    for (Estimate* estimate :
         {&seen.link.rtt_us, &seen.link.up_us_per_byte, &seen.link.down_us_per_byte}) {
      *estimate = {2 * estimate->mean, 2 * estimate->deviation};
    }
    seen.edge_queue_us *= 2;
    *seen.deadline_us *= 2;
    ASSERT_EQ(FeaturesOf(table, seen).plans, before.plans) << round;
  }
}

TEST(FeaturizeTest, SaysHowAPlanStandsToTheDeadline) {
  PlanTable table;
  PlanCost remote;
  remote.plan = {0, 0, Encoding::kFp32};
  remote.bytes_up = 60'000;
  remote.head_us = 10'000;
  remote.tail_us = 20'000;
  PlanCost local;
  local.plan = {0, 1, Encoding::kFp32};
  local.head_us = 200'000;
  table.plans = {remote, local};
  Observation seen = Calm();
  Features features = FeaturesOf(table, seen);  // 10 + 60 + 10 + 20 ms of 100 ms; 200 ms of 100 ms.
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "time"), 1);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "fits"), 1);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "head_share"), 0.1F);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "uplink_share"), 0.65F);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "tail_share"), 0.2F);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "downlink_share"), 0.05F);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "remote"), 1);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "miss_chance"), 0);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "accuracy"), 0);
  EXPECT_FLOAT_EQ(PlanOf(features, 1, "time"), 2);
  EXPECT_FLOAT_EQ(PlanOf(features, 1, "time_log"), std::log(2.0F));
  EXPECT_FLOAT_EQ(PlanOf(features, 1, "miss_chance"), 1);
  EXPECT_FLOAT_EQ(PlanOf(features, 1, "margin"), -5);
  EXPECT_FLOAT_EQ(PlanOf(features, 1, "remote"), 0);
  EXPECT_NEAR(PlanOf(features, 1, "time_over_searched"), std::log(2.0), 1e-6);
  seen.link.up_us_per_byte.deviation = 0.5;  // 30 ms of the whole.
  seen.deadline_us = 130'000;
  features = FeaturesOf(table, seen);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "margin"), 1);
  EXPECT_NEAR(PlanOf(features, 0, "miss_chance"), 0.158655, 1e-5);
  EXPECT_NEAR(PlanOf(features, 0, "spread"), 30.0 / 130, 1e-6);
}

TEST(FeaturizeTest, WithoutDeadlineTheWholeNetworkOnTheDeviceStandsIn) {
  PlanTable table;
  PlanCost local;
  local.plan = {0, 1, Encoding::kFp32};
  local.head_us = 200'000;
  table.plans = {local};
  Observation seen = Calm();
  seen.deadline_us = std::nullopt;
  seen.device_slowdown.mean = 2;
  const Features features = FeaturesOf(table, seen);
  EXPECT_FLOAT_EQ(PlanOf(features, 0, "time"), 2);
  EXPECT_FLOAT_EQ(StateOf(features, "deadline"), std::log(2.0F));
  EXPECT_FLOAT_EQ(StateOf(features, "has_deadline"), 0);
}

TEST(FeaturizeTest, StateSaysWhatIsKnownOfTheLink) {
  Cases cases(6);
  const PlanTable table = cases.Table(2);
  Observation seen = Calm();
  seen.link.up_us_per_byte = {0.8, 0.4};  // 10 Mbit/s
  seen.link.down_us_per_byte = {0.08, 0};
  seen.link.tried_bytes = 1'000;
  Features features = FeaturesOf(table, seen);
  EXPECT_NEAR(StateOf(features, "rtt"), 0, 1e-6);
  EXPECT_NEAR(StateOf(features, "up_rate"), 0, 1e-6);
  EXPECT_FLOAT_EQ(StateOf(features, "up_spread"), 0.5F);
  EXPECT_NEAR(StateOf(features, "down_rate"), std::log(10), 1e-6);
  EXPECT_FLOAT_EQ(StateOf(features, "tried_bytes"), std::log(2.0F));
  EXPECT_FLOAT_EQ(StateOf(features, "last_missed"), 0);
  EXPECT_FLOAT_EQ(StateOf(features, "link_up"), 1);
  RunHistory history;
  history.Add({.predicted_us = 10'000, .latency_us = 50'000, .missed = true, .remote = true});
  seen.recent = history.Get();
  seen.link.up = false;
  features = FeaturesOf(table, seen);
  EXPECT_FLOAT_EQ(StateOf(features, "last_missed"), 1);
  EXPECT_NEAR(StateOf(features, "last_error"), std::log(5.0), 1e-6);
  EXPECT_NEAR(StateOf(features, "last_latency"), std::log(0.5), 1e-6);
  EXPECT_FLOAT_EQ(StateOf(features, "link_up"), 0);
}

TEST(RowsOfTest, FindsEachPlanWhereverItStands) {
  Cases cases(7);
  for (int round = 0; round < 200; ++round) {
    const PlanTable table = cases.Table(1 + cases.UpTo(4));
    std::vector<Plan> plans;
    for (int i = cases.UpTo(30); i >= 0; --i) {
      plans.push_back({cases.UpTo(2), cases.UpTo(6), static_cast<Encoding>(cases.UpTo(7))});
    }
    const std::vector<std::optional<int>> rows = RowsOf(table, plans);
    ASSERT_EQ(rows.size(), plans.size());
    for (std::size_t i = 0; i < plans.size(); ++i) {
      const auto found = std::find_if(table.plans.begin(), table.plans.end(),
                                      [&](const PlanCost& cost) { return cost.plan == plans[i]; });
      std::optional<int> expected;
      if (found != table.plans.end()) expected = static_cast<int>(found - table.plans.begin());
      ASSERT_EQ(rows[i], expected);
    }
  }
}

TEST(FeaturizeTest, APlanWithoutRowIsNeverValid) {
  Cases cases(8);
  const PlanTable table = cases.Table(2);
  std::vector<Plan> plans = PlansOf(table);
  plans.insert(plans.begin(), {9, 9, Encoding::kFp32});
  Features features;
  Featurize(table, RowsOf(table, plans), Calm(), {}, features);
  EXPECT_EQ(features.valid[0], 0);
  for (const absl::string_view name : PlanFeatureNames()) EXPECT_EQ(PlanOf(features, 0, name), 0);
}

}  // namespace
}  // namespace cleave
