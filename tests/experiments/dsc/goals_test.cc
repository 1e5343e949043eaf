#include "experiments/dsc/goals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "experiments/dsc/fake_results.h"

namespace cleave::experiments::dsc {
namespace {

using ::testing::HasSubstr;

rig::Goal Find(const Results& results, const std::string& id) {
  const auto goals = EvaluateGoals(results);
  const auto found = std::find_if(goals.begin(), goals.end(),
                                  [&](const rig::Goal& goal) { return goal.id == id; });
  return found == goals.end() ? rig::Goal{.id = "missing"} : *found;
}

TEST(GoalsTest, NothingMeasuredIsNeverMet) {
  for (const rig::Goal& goal : EvaluateGoals(Results{}))
    EXPECT_EQ(goal.met, rig::Met::kUnknown) << goal.id;
}

TEST(GoalsTest, PredictionsOfEncodingsMeetNoGoal) {
  Results results;
  results.encodings.push_back(FakeEncodings("m", 1, 0.7));
  for (const rig::Goal& goal : EvaluateGoals(results))
    EXPECT_EQ(goal.met, rig::Met::kUnknown) << goal.id;
}

TEST(GoalsTest, WorstPointAndMeanOfTheGrid) {
  Results results;
  for (const double regret : {1.0, 1.02, 1.10}) {
    PointResult point{.model = "m", .rate_bps = regret * 1e6};
    point.regret = regret;
    results.points.push_back(point);
  }
  results.points.push_back({.model = "not compared"});
  EXPECT_NEAR(Find(results, "regret_mean").value, 1.04, 1e-9);
  EXPECT_EQ(Find(results, "regret_mean").met, rig::Met::kNo);
  EXPECT_NEAR(Find(results, "regret_worst").value, 1.10, 1e-9);
  EXPECT_EQ(Find(results, "regret_worst").met, rig::Met::kYes);
  EXPECT_THAT(Find(results, "regret_worst").note, HasSubstr("1.1 Mbit/s"));
}

TEST(GoalsTest, TheWorstModelStandsForAll) {
  Results results;
  results.micro.chain_ratio = {{"a", 1.0, ""}, {"b", 1.03, ""}};
  EXPECT_EQ(Find(results, "chain_ratio").met, rig::Met::kNo);
  EXPECT_THAT(Find(results, "chain_ratio").note, HasSubstr("a 1.000"));
}

TEST(GoalsTest, TraceMustBeStrictlyBetterThanTheBestFixed) {
  Results results;
  results.traces.push_back({.name = "t"});
  auto& runs = results.traces[0].runs;
  runs.push_back({.policy = "dynamic", .inferences = 3, .mean_us = 100});
  runs.push_back({.policy = "device", .inferences = 3, .mean_us = 200});
  EXPECT_EQ(Find(results, "trace").met, rig::Met::kYes);
  runs.push_back({.policy = "fixed:3", .inferences = 3, .mean_us = 100});
  EXPECT_EQ(Find(results, "trace").met, rig::Met::kNo);
  runs.push_back({.policy = "fixed:4", .inferences = 0, .mean_us = 0});
  EXPECT_DOUBLE_EQ(Find(results, "trace").value, 1);
}

TEST(GoalsTest, AChangeThatNeverSettlesMissesTheGoal) {
  Results results = FakeResults();
  EXPECT_EQ(Find(results, "step_down").met, rig::Met::kYes);
  EXPECT_EQ(Find(results, "step_up").met, rig::Met::kYes);
  results.steps[0].changes.push_back({.rate_bps = 5e7, .settled = false});
  EXPECT_EQ(Find(results, "step_down").met, rig::Met::kYes);
  EXPECT_EQ(Find(results, "step_up").met, rig::Met::kNo);
}

TEST(GoalsTest, FallbacksAreNoPredictionErrors) {
  Results results;
  PointResult point{.model = "m"};
  point.dynamic.samples = {{.latency_us = 100, .predicted_us = 95},
                           {.latency_us = 1000, .predicted_us = 10, .fallback = "edge gone"}};
  results.points.push_back(point);
  EXPECT_NEAR(Find(results, "prediction_error").value, 5, 1e-9);
}

TEST(GoalsTest, OneLostInferenceMisses) {
  Results results;
  results.kills = {.kills = 20, .inferences = 400, .lost = 1};
  EXPECT_EQ(Find(results, "lost").met, rig::Met::kNo);
  results.kills.lost = 0;
  EXPECT_EQ(Find(results, "lost").met, rig::Met::kYes);
}

}  // namespace
}  // namespace cleave::experiments::dsc
