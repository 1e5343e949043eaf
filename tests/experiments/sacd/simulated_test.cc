// The simulated part: every policy plays the same courses, and the truth knows what they bring.
#include "experiments/sacd/simulated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "experiments/sacd/follow.h"
#include "experiments/sacd/player.h"
#include "experiments/sacd/script.h"
#include "experiments/sacd/truth.h"
#include "world/environment_tables.h"

namespace cleave::experiments::sacd {
namespace {

using testing::LivelyOptions;
using testing::MakeEnvironment;
using testing::SmallTable;

constexpr int kCourses = 6;

class SimulatedTest : public ::testing::Test {
 protected:
  absl::StatusOr<Simulated> Run(bool timelines = false) {
    return RunSimulated(*environment_, {.environment = "small",
                                        .learned = {},
                                        .courses = kCourses,
                                        .seed = 5,
                                        .timelines = timelines});
  }

  const std::unique_ptr<world::SimulatedEnvironment> environment_ =
      MakeEnvironment(LivelyOptions());
};

TEST_F(SimulatedTest, EveryPolicyPlaysEveryInference) {
  const auto part = Run();
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_TRUE(part->complete);
  std::set<std::string> names;
  for (const Row& row : part->rows) {
    names.insert(row.policy);
    EXPECT_EQ(row.inferences, kCourses * LivelyOptions().inferences) << row.policy;
    EXPECT_LE(row.reward.low, row.reward.mean);
    EXPECT_GE(row.reward.high, row.reward.mean);
  }
  EXPECT_EQ(names, (std::set<std::string>{kDeviceOnly, kEdgeOnly, kEdgeJpeg, kBestFixed, kDynamic,
                                          kExact, kExactMeans, kRandom, kSplitEe, kOracle}));
}

TEST_F(SimulatedTest, EveryInferenceIsInABinOfItsPredictedChanceToBeLate) {
  const auto part = Run();
  ASSERT_TRUE(part.ok()) << part.status();
  for (const Row& row : part->rows) {
    std::int64_t inferences = 0;
    double missed = 0;
    for (const ChanceBin& bin : row.chances) {
      EXPECT_GE(bin.predicted, bin.low);
      EXPECT_LE(bin.predicted, bin.high);
      EXPECT_LE(bin.missed.low, bin.missed.mean);
      EXPECT_GE(bin.missed.high, bin.missed.mean);
      inferences += bin.inferences;
      missed += bin.missed.mean * static_cast<double>(bin.inferences);
    }
    // What was not told the deadline has no chances.
    if (row.policy == kDynamic) continue;
    EXPECT_EQ(inferences, row.inferences) << row.policy;
    EXPECT_NEAR(missed, static_cast<double>(row.misses), 1e-6) << row.policy;
  }
}

TEST_F(SimulatedTest, TheOracleIsAboveAllAndScalesThem) {
  const auto part = Run();
  ASSERT_TRUE(part.ok()) << part.status();
  const Row* const oracle = Results::Find(part->rows, kOracle);
  ASSERT_NE(oracle, nullptr);
  EXPECT_NEAR(oracle->normalized.mean, 1, 1e-9);
  EXPECT_NEAR(Results::Find(part->rows, kRandom)->normalized.mean, 0, 1e-9);
  for (const Row& row : part->rows) {
    EXPECT_LE(row.reward.mean, oracle->reward.mean) << row.policy;
  }
}

TEST_F(SimulatedTest, TheSameSeedGivesTheSameRows) {
  const auto a = Run();
  const auto b = Run();
  ASSERT_TRUE(a.ok() && b.ok());
  ASSERT_EQ(a->rows.size(), b->rows.size());
  for (std::size_t i = 0; i < a->rows.size(); ++i) {
    EXPECT_EQ(a->rows[i].reward.mean, b->rows[i].reward.mean) << a->rows[i].policy;
    EXPECT_EQ(a->rows[i].reward.low, b->rows[i].reward.low) << a->rows[i].policy;
  }
}

TEST_F(SimulatedTest, ACancelledRunHasWhatWasPlayed) {
  SimulatedOptions options{.environment = "small", .courses = kCourses};
  options.cancel.Cancel();
  const auto part = RunSimulated(*environment_, options);
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_FALSE(part->complete);
  EXPECT_TRUE(part->rows.empty());
}

TEST_F(SimulatedTest, TimelinesCrossTheirChanges) {
  const auto part = Run(/*timelines=*/true);
  ASSERT_TRUE(part.ok()) << part.status();
  ASSERT_EQ(part->timelines.size(), 3U);
  for (const Timeline& timeline : part->timelines) {
    EXPECT_FALSE(timeline.change_s.empty()) << timeline.name;
    EXPECT_EQ(timeline.runs.size(), 3U) << timeline.name;  // Without learned policies.
    for (const TimelineRun& run : timeline.runs) EXPECT_FALSE(run.steps.empty()) << run.policy;
  }
}

TEST(ScriptTest, ChangesAreWhereTheTruthMoves) {
  std::vector<Step> steps(5);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].t_us = static_cast<std::int64_t>(i) * 1'000'000;
    steps[i].up_bps = i < 2 ? 10e6 : 1e6;
    steps[i].device_slowdown = i < 4 ? 1 : 4;
  }
  EXPECT_THAT(ChangesOf(steps), ::testing::ElementsAre(2, 4));
}

// Without chance and without others at the edge, the truth says what the environment says.
TEST(TruthTest, AgreesWithTheEnvironment) {
  world::EnvironmentOptions options = LivelyOptions();
  options.world.queue.kind = world::QueueKind::kEmpty;
  options.world.link = WorldFollower::Carried(options.world.link);
  const auto environment = MakeEnvironment(options);
  Truth truth(environment->table(), environment->rows(), environment->options(),
              {.rtt_us = options.world.link.rtt_us, .edge_slowdown = 1}, 2);
  for (const std::uint64_t seed : {1, 2, 3}) {
    ASSERT_TRUE(environment->Reset(seed).ok());
    truth.Begin(seed);
    const double now_us = environment->now_us();
    for (const int row : environment->rows()) {
      const world::SimulatedEnvironment::Result expected = environment->Expected({.row = row});
      if (expected.skipped || expected.fell_back) continue;
      const PlanCost& cost = environment->table().plans[static_cast<std::size_t>(row)];
      EXPECT_NEAR(truth.Run(cost, {.now_us = now_us}).end_us - now_us, expected.outcome.latency_us,
                  1)
          << PlanText(cost.plan);
    }
    EXPECT_NEAR(truth.DeviceSlowdown(now_us), environment->TruthNow().device_slowdown, 1e-9);
    EXPECT_NEAR(truth.UpBps(now_us), environment->TruthNow().up_bps, 1);
  }
}

TEST(TruthTest, FollowsTheBenchFromTheNextCourseOn) {
  world::EnvironmentOptions options = LivelyOptions();
  options.world.queue.kind = world::QueueKind::kEmpty;
  options.world.device = world::MachineOptions();
  const auto environment = MakeEnvironment(options);
  const PlanTable& table = environment->table();
  Truth truth(table, environment->rows(), environment->options(), {.rtt_us = 5'000}, 2);
  const PlanCost& local = table.plans.back();
  const PlanCost& remote = table.plans[1];
  truth.Begin(1);
  EXPECT_NEAR(truth.Run(local, {.now_us = 0}).head_us, local.head_us, 1);
  const double tail_us = truth.Run(remote, {.now_us = 0}).tail_us;
  for (int i = 0; i < 100; ++i) {
    truth.Learn(local, 0, 1.5 * local.head_us, 0);
    truth.Learn(remote, 0, 0, 2 * remote.tail_us);
  }
  EXPECT_NEAR(truth.Run(local, {.now_us = 0}).head_us, local.head_us, 1);
  truth.Begin(1);
  EXPECT_NEAR(truth.Run(local, {.now_us = 0}).head_us, 1.5 * local.head_us, 1);
  EXPECT_NEAR(truth.Run(remote, {.now_us = 0}).tail_us, 2 * tail_us, 1);
}

TEST(TruthTest, TellsABenchOnceHowFarItsDeviceIsOff) {
  world::EnvironmentOptions options = LivelyOptions();
  options.world.device = world::MachineOptions();
  const auto environment = MakeEnvironment(options);
  const PlanTable& table = environment->table();
  PlanCost local = table.plans.back();
  local.head_us = 10'000;
  Truth truth(table, environment->rows(), environment->options(), {.device_slowdown = 2}, 2);
  truth.Begin(1);
  for (int i = 0; i < 5; ++i) truth.Learn(local, 0, 30'000, 0);
  EXPECT_EQ(truth.TakeDeviceDrift(Truth::SlowdownClass::kLow), 1) << "too few";
  for (int i = 0; i < 20; ++i) truth.Learn(local, 0, 30'000, 0);
  EXPECT_DOUBLE_EQ(truth.TakeDeviceDrift(Truth::SlowdownClass::kHigh), 1);
  EXPECT_DOUBLE_EQ(truth.TakeDeviceDrift(Truth::SlowdownClass::kLow), 1.5);
  EXPECT_EQ(truth.TakeDeviceDrift(Truth::SlowdownClass::kLow), 1) << "made up for";
}

TEST(RunningMedianTest, ForgetsWhatWasLongAgo) {
  RunningMedian median(9);
  EXPECT_EQ(median.Get(), 9);
  for (int i = 0; i < 3; ++i) median.Add(2);
  EXPECT_EQ(median.Get(), 2);
  for (int i = 0; i < 100; ++i) median.Add(5);
  EXPECT_EQ(median.Get(), 5);
}

TEST(ShareRuleTest, MakesUpForWhatQuotasCost) {
  const ShareRule plain{.base_share = 0.5};
  EXPECT_DOUBLE_EQ(plain.Share(4), 0.125);
  const ShareRule rule{.base_share = 1, .low = 4, .low_cost = 1, .high = 16, .high_cost = 1.5};
  EXPECT_DOUBLE_EQ(rule.Share(2), 0.5);
  EXPECT_DOUBLE_EQ(rule.Share(4), 0.25);
  EXPECT_DOUBLE_EQ(rule.Share(8), 1.25 / 8);
  EXPECT_DOUBLE_EQ(rule.Share(16), 1.5 / 16);
  EXPECT_DOUBLE_EQ(rule.Share(32), 1.5 / 32);
}

TEST(TruthTest, NoFixedPlanBeatsTheBestOne) {
  const auto environment = MakeEnvironment(LivelyOptions());
  const PlanTable& table = environment->table();
  Truth truth(table, environment->rows(), environment->options(), {.rtt_us = 5'000}, 2);
  const std::vector<std::uint64_t> seeds = {1, 2};
  const double deadline_us = 40'000;
  const int best = BestFixedRow(truth, table, environment->rows(), seeds, 10, 60'000, deadline_us);
  std::map<int, double> sums;
  for (const std::uint64_t seed : seeds) {
    truth.Begin(seed);
    for (int i = 0; i < 10; ++i) {
      for (const int row : environment->rows()) {
        sums[row] +=
            truth.RewardOf(table.plans[static_cast<std::size_t>(row)], i * 60'000.0, deadline_us);
      }
    }
  }
  for (const auto& [row, sum] : sums) EXPECT_LE(sum, sums[best]) << row;
}

}  // namespace
}  // namespace cleave::experiments::sacd
