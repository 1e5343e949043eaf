// The dynamic policy against the obvious search, over random tables, observations and constraints.
// All figures are small whole numbers, so that sums are exact and ties frequent.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <tuple>
#include <vector>

#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/predict.h"
#include "policy/spread.h"

namespace cleave {
namespace {

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  int UpTo(int most) { return std::uniform_int_distribution<>(0, most)(random_); }
  bool Chance(int percent) { return UpTo(99) < percent; }

 private:
  std::mt19937 random_;
};

std::optional<double> MaybeAccuracy(Dice& dice, int percent) {
  if (!dice.Chance(percent)) return std::nullopt;
  return dice.UpTo(8) / 8.0;
}

PlanCost RandomPlan(Dice& dice, bool remote) {
  PlanCost cost;
  cost.plan.cut = dice.UpTo(3);
  cost.head_us = dice.UpTo(12);
  cost.encode_us = dice.UpTo(2);
  cost.exact = dice.Chance(30);
  cost.accuracy = MaybeAccuracy(dice, 80);
  if (!remote) return cost;
  cost.bytes_up = 1 + dice.UpTo(12);
  cost.bytes_down = dice.UpTo(2);
  cost.tail_us = dice.UpTo(6);
  if (dice.Chance(50)) {
    cost.entropy_bytes_up = 1 + dice.UpTo(12);
    cost.entropy_us = dice.UpTo(3);
  }
  return cost;
}

PlanTable RandomTable(Dice& dice) {
  PlanTable table;
  for (int i = dice.UpTo(20); i > 0; --i) table.plans.push_back(RandomPlan(dice, !dice.Chance(20)));
  table.plans.push_back(RandomPlan(dice, false));
  table.plans.back().exact = true;
  table.best_accuracy = MaybeAccuracy(dice, 80);
  return table;
}

Observation RandomObservation(Dice& dice) {
  Observation observation;
  observation.link.rtt_us.mean = 2 * dice.UpTo(4);
  observation.link.up_us_per_byte.mean = dice.UpTo(4);
  observation.link.down_us_per_byte.mean = dice.UpTo(4);
  observation.link.up = !dice.Chance(10);
  observation.link.tried_bytes =
      dice.Chance(50) ? std::numeric_limits<double>::infinity() : dice.UpTo(8) / 32.0;
  observation.device_slowdown.mean = 1 + dice.UpTo(2);
  observation.edge_slowdown.mean = 1 + dice.UpTo(2);
  observation.edge_queue_us = dice.UpTo(5);
  observation.device_slowdown.deviation = dice.UpTo(4) / 8.0;
  observation.edge_slowdown.deviation = dice.UpTo(4) / 8.0;
  observation.edge_usable = !dice.Chance(10);
  if (dice.Chance(60)) observation.deadline_us = dice.UpTo(40);
  observation.uplink_wait_us = dice.Chance(30) ? dice.UpTo(20) : 0;
  observation.waited_us = dice.Chance(30) ? dice.UpTo(10) : 0;
  if (dice.Chance(20)) observation.data_left_bytes = dice.UpTo(14) - 2;
  return observation;
}

Constraints RandomConstraints(Dice& dice) {
  Constraints constraints;
  constraints.no_raw_input = dice.Chance(30);
  if (dice.Chance(30)) constraints.max_device_us = dice.UpTo(20);
  constraints.min_accuracy = MaybeAccuracy(dice, 40);
  constraints.accuracy_drop = MaybeAccuracy(dice, 40);
  if (!dice.Chance(40)) return constraints;
  constraints.objective = Objective::kThroughput;
  if (dice.Chance(50)) constraints.max_latency_us = dice.UpTo(40);
  constraints.max_in_flight = 1 + dice.UpTo(3);
  return constraints;
}

// One plan in one form of its request, judged by the book.
struct Choice {
  int index = 0;
  bool entropy = false;
  double predicted_us = 0;
  double compared_us = 0;
  double bytes = 0;
  double accuracy = 0;
  double variance_us2 = 0;
  double period_us = 0;  // With the objective of throughput; infinite for one that is too late.
};

double HereUs(const PlanCost& cost, const Observation& seen, bool entropy) {
  return (cost.head_us + cost.encode_us + (entropy ? cost.entropy_us : 0)) *
         seen.device_slowdown.mean;
}

double WaitUs(const PlanCost& cost, const Observation& seen, bool entropy) {
  return cost.remote() ? std::max(0.0, seen.uplink_wait_us - HereUs(cost, seen, entropy)) : 0;
}

double TimeUs(const PlanCost& cost, const Observation& seen, bool entropy) {
  const double here_us = HereUs(cost, seen, entropy);
  if (!cost.remote()) return here_us;
  const double bytes = entropy ? cost.entropy_bytes_up : cost.bytes_up;
  return here_us + WaitUs(cost, seen, entropy) + seen.link.TransferUs(bytes, cost.bytes_down) +
         seen.edge_queue_us + cost.tail_us * seen.edge_slowdown.mean;
}

double PeriodUs(const PlanCost& cost, const Observation& seen, const Constraints& limits,
                const Choice& choice) {
  if (limits.objective != Objective::kThroughput || seen.deadline_us) return 0;
  if (limits.max_latency_us && choice.compared_us + seen.waited_us > *limits.max_latency_us) {
    return std::numeric_limits<double>::infinity();
  }
  const double alone_us = choice.compared_us - WaitUs(cost, seen, choice.entropy);
  const double untried_us = choice.compared_us - choice.predicted_us;
  const double shared_us = alone_us / static_cast<double>(limits.max_in_flight);
  if (!cost.remote()) return std::max(choice.predicted_us, shared_us);
  return std::max({HereUs(cost, seen, choice.entropy),
                   choice.bytes * seen.link.up_us_per_byte.mean + untried_us,
                   cost.tail_us * seen.edge_slowdown.mean,
                   cost.bytes_down * seen.link.down_us_per_byte.mean, shared_us});
}

Choice Judge(const PlanTable& table, const Observation& seen, const Constraints& limits,
             int index) {
  const PlanCost& cost = table.plans[index];
  Choice choice;
  choice.index = index;
  choice.predicted_us = TimeUs(cost, seen, false);
  if (cost.remote() && cost.entropy_bytes_up > 0) {
    const double saved_us = (cost.bytes_up - cost.entropy_bytes_up) * seen.link.up_us_per_byte.mean;
    choice.entropy = cost.entropy_us * seen.device_slowdown.mean < saved_us;
    if (choice.entropy) choice.predicted_us = TimeUs(cost, seen, true);
  }
  choice.bytes = choice.entropy ? cost.entropy_bytes_up : cost.bytes_up;
  choice.compared_us =
      choice.predicted_us +
      std::max(0.0, choice.bytes - 32 * seen.link.tried_bytes) * seen.link.up_us_per_byte.mean;
  choice.variance_us2 = TotalVarianceUs2(cost, seen, Predict(cost, seen));
  choice.accuracy = cost.accuracy ? *cost.accuracy
                    : cost.exact  ? table.best_accuracy.value_or(1)
                                  : -1;
  choice.period_us = PeriodUs(cost, seen, limits, choice);
  return choice;
}

bool AccurateEnough(const PlanTable& table, const Observation& seen, const Constraints& limits,
                    const PlanCost& cost, double accuracy) {
  const bool asked = limits.min_accuracy || limits.accuracy_drop || seen.deadline_us;
  if (!asked || !table.best_accuracy) return cost.exact;
  if (accuracy < 0) return false;
  if (limits.min_accuracy && accuracy < *limits.min_accuracy) return false;
  return !limits.accuracy_drop || *table.best_accuracy - accuracy <= *limits.accuracy_drop;
}

struct Expected {
  Choice choice;
  Reason reason = Reason::kFastest;
};

// What a plan is worth under the deadline; nothing for one that is late.
std::optional<double> WorthOf(const Choice& choice, double deadline_us, DeadlineRule rule) {
  if (rule == DeadlineRule::kByMeans) {
    return choice.compared_us <= deadline_us ? std::optional<double>(choice.accuracy)
                                             : std::nullopt;
  }
  const double chance = LateChance(deadline_us, choice.compared_us, choice.variance_us2);
  if (chance < 0.001) return choice.accuracy;
  if (chance > 0.999) return std::nullopt;
  return choice.accuracy - chance;
}

// REQUIRES: choices is not empty.
Choice Pick(std::vector<Choice> choices, const Observation& seen, DeadlineRule rule) {
  if (seen.deadline_us) {
    std::vector<Choice> in_time;
    std::copy_if(choices.begin(), choices.end(), std::back_inserter(in_time),
                 [&](const Choice& c) { return WorthOf(c, *seen.deadline_us, rule).has_value(); });
    if (!in_time.empty()) {
      const auto key = [&](const Choice& c) {
        return std::tuple(-*WorthOf(c, *seen.deadline_us, rule), c.compared_us, c.bytes, c.index);
      };
      return *std::min_element(in_time.begin(), in_time.end(),
                               [&](const Choice& a, const Choice& b) { return key(a) < key(b); });
    }
  }
  return *std::min_element(choices.begin(), choices.end(), [](const Choice& a, const Choice& b) {
    return std::tuple(a.period_us, a.compared_us, a.bytes, a.index) <
           std::tuple(b.period_us, b.compared_us, b.bytes, b.index);
  });
}

Expected Search(const PlanTable& table, const Observation& seen, const Constraints& limits,
                DeadlineRule rule) {
  const bool can_send = seen.edge_usable && seen.link.up;
  std::vector<Choice> allowed;
  std::vector<Choice> on_device;
  for (int i = 0; i < static_cast<int>(table.plans.size()); ++i) {
    const PlanCost& cost = table.plans[i];
    const Choice choice = Judge(table, seen, limits, i);
    if (!AccurateEnough(table, seen, limits, cost, choice.accuracy)) continue;
    if (!cost.remote()) on_device.push_back(choice);
    const bool raw = cost.remote() && cost.plan.cut == 0;
    const bool slow =
        limits.max_device_us && cost.head_us * seen.device_slowdown.mean > *limits.max_device_us;
    const bool dear = cost.remote() && seen.data_left_bytes &&
                      cost.bytes_up + cost.bytes_down > *seen.data_left_bytes;
    if ((cost.remote() && !can_send) || (raw && limits.no_raw_input) || slow || dear) continue;
    allowed.push_back(choice);
  }
  Expected expected;
  if (!allowed.empty()) {
    expected.choice = Pick(allowed, seen, rule);
    const bool in_time =
        seen.deadline_us && WorthOf(expected.choice, *seen.deadline_us, rule).has_value();
    const bool most = limits.objective == Objective::kThroughput;
    expected.reason =
        !seen.deadline_us && most
            ? std::isinf(expected.choice.period_us) ? Reason::kNoneInTime : Reason::kThroughput
        : !seen.deadline_us   ? Reason::kFastest
        : !in_time            ? Reason::kNoneInTime
        : table.best_accuracy ? Reason::kMostAccurate
                              : Reason::kFastest;
  } else {
    expected.reason = Reason::kOnlyOneLeft;
    expected.choice = on_device.empty()
                          ? Judge(table, seen, limits, static_cast<int>(table.plans.size()) - 1)
                          : Pick(on_device, seen, rule);
  }
  if (!can_send) expected.reason = Reason::kEdgeUnusable;
  return expected;
}

class DynamicPolicyPropertyTest : public ::testing::TestWithParam<DeadlineRule> {};

INSTANTIATE_TEST_SUITE_P(Rules, DynamicPolicyPropertyTest,
                         ::testing::Values(DeadlineRule::kExpectedReward, DeadlineRule::kByMeans),
                         [](const auto& rule) {
                           return rule.param == DeadlineRule::kByMeans ? "Means" : "Reward";
                         });

TEST_P(DynamicPolicyPropertyTest, FindsWhatTheObviousSearchFinds) {
  Dice dice(7);
  std::array<int, 11> reasons{};
  int compressed = 0;
  for (int run = 0; run < 20'000; ++run) {
    const PlanTable table = RandomTable(dice);
    const Observation seen = RandomObservation(dice);
    const Constraints limits = RandomConstraints(dice);
    const Expected expected = Search(table, seen, limits, GetParam());
    const Decision decision = MakeDynamicPolicy(limits, GetParam())->Decide(table, seen);
    ASSERT_EQ(decision.index, expected.choice.index) << "run " << run;
    ASSERT_EQ(decision.entropy, expected.choice.entropy) << "run " << run;
    ASSERT_EQ(decision.predicted_us, expected.choice.predicted_us) << "run " << run;
    ASSERT_EQ(ReasonName(decision.reason), ReasonName(expected.reason)) << "run " << run;
    ++reasons.at(static_cast<std::size_t>(decision.reason));
    compressed += decision.entropy ? 1 : 0;
  }
  for (const Reason reason : {Reason::kFastest, Reason::kEdgeUnusable, Reason::kOnlyOneLeft,
                              Reason::kMostAccurate, Reason::kNoneInTime, Reason::kThroughput}) {
    EXPECT_GT(reasons.at(static_cast<std::size_t>(reason)), 100) << ReasonName(reason);
  }
  EXPECT_GT(compressed, 100);
}

TEST_P(DynamicPolicyPropertyTest, NeverCrossesALimitWhileSomethingIsLeft) {
  Dice dice(11);
  for (int run = 0; run < 5'000; ++run) {
    const PlanTable table = RandomTable(dice);
    const Observation seen = RandomObservation(dice);
    const Constraints limits = RandomConstraints(dice);
    const Decision decision = MakeDynamicPolicy(limits, GetParam())->Decide(table, seen);
    const PlanCost& cost = table.plans[decision.index];
    EXPECT_FALSE(limits.no_raw_input && cost.remote() && cost.plan.cut == 0);
    EXPECT_FALSE(cost.remote() && !(seen.edge_usable && seen.link.up));
    if (decision.reason == Reason::kOnlyOneLeft || decision.reason == Reason::kEdgeUnusable) {
      continue;
    }
    EXPECT_TRUE(limits.Allows(cost, seen));
    EXPECT_TRUE(limits.AllowsAccuracy(cost, table, seen));
  }
}

}  // namespace
}  // namespace cleave
