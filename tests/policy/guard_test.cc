#include "policy/guard.h"

#include <gtest/gtest.h>

#include <memory>

namespace cleave {
namespace {

PlanCost Row(int exit, double head_us, double bytes_up, double accuracy) {
  PlanCost cost;
  cost.plan.exit = exit;
  cost.plan.cut = bytes_up > 0 ? 0 : 5;
  cost.head_us = head_us;
  cost.bytes_up = bytes_up;
  cost.bytes_down = bytes_up > 0 ? 100 : 0;
  cost.accuracy = accuracy;
  cost.exact = false;
  return cost;
}

// At 8 us a byte and a round trip of 1 ms: 10 ms early, 81.8 ms by the edge, 40 ms on the device.
class GuardTest : public testing::Test {
 protected:
  GuardTest() {
    table_.plans = {Row(0, 10e3, 0, 0.7), Row(1, 0, 10e3, 0.9), Row(1, 40e3, 0, 0.9)};
    table_.plans.back().exact = true;
    table_.best_accuracy = 0.9;
    observation_.link.rtt_us.mean = 1e3;
    observation_.link.up_us_per_byte.mean = 8;
    observation_.link.down_us_per_byte.mean = 8;
    observation_.link.known = true;
  }

  Decision Guard(int index) const {
    const Decision decision = Guarded(table_, observation_, index, *search_);
    const Decision again = Guarded(table_, observation_, index,
                                   Searched(table_, observation_, *search_, Reason::kGuarded));
    EXPECT_EQ(again.index, decision.index);
    EXPECT_EQ(again.reason, decision.reason);
    return decision;
  }

  PlanTable table_;
  Observation observation_;
  std::unique_ptr<Policy> search_ = MakeDynamicPolicy({});
};

TEST_F(GuardTest, AChoiceInTimeStands) {
  observation_.deadline_us = 50e3;
  for (const int index : {0, 2}) {
    EXPECT_EQ(Guard(index).index, index);
    EXPECT_EQ(Guard(index).reason, Reason::kLearned);
  }
}

TEST_F(GuardTest, TheSearchDecidesWhereTheChoiceIsLateAndItsOwnIsNot) {
  observation_.deadline_us = 50e3;
  const Decision decision = Guard(1);
  EXPECT_EQ(decision.index, 2);
  EXPECT_EQ(decision.reason, Reason::kGuarded);
}

TEST_F(GuardTest, AChoiceStandsWhereNothingIsInTime) {
  observation_.deadline_us = 5e3;
  EXPECT_EQ(Guard(1).index, 1);
  EXPECT_EQ(Guard(1).reason, Reason::kLearned);
}

TEST_F(GuardTest, WithoutADeadlineEveryChoiceStands) {
  EXPECT_EQ(Guard(1).index, 1);
  EXPECT_EQ(Guard(1).reason, Reason::kLearned);
}

TEST_F(GuardTest, NoEdgeIsTheReasonWhoeverDecides) {
  observation_.edge_usable = false;
  observation_.deadline_us = 50e3;
  EXPECT_EQ(Guard(0).reason, Reason::kEdgeUnusable);
  EXPECT_EQ(Searched(table_, observation_, *search_, Reason::kUnfamiliar).reason,
            Reason::kEdgeUnusable);
}

}  // namespace
}  // namespace cleave
