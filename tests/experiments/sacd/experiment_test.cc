// The pure pieces of the experiment on learned policies: order of blocks, tables, goals, page.
#include "experiments/sacd/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "experiments/sacd/goals.h"
#include "experiments/sacd/report.h"
#include "experiments/sacd/schedule.h"
#include "experiments/sacd/table.h"
#include "policy/policy.h"

namespace cleave::experiments::sacd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

Step MakeStep(int unit, double reward, double latency_us) {
  return {.unit = unit,
          .encoding = Encoding::kFp32,
          .where = Where::kEdge,
          .latency_us = latency_us,
          .accuracy = 0.8,
          .expected_accuracy = 0.85,
          .bytes_up = 100,
          .deadline_us = 50'000,
          .reward = reward,
          .up_bps = 5e6};
}

// `units` of two steps each; the second of each is late.
Played Play(const std::string& policy, double reward, int units) {
  Played played{.policy = policy, .files = {}, .steps = {{}}};
  for (int unit = 0; unit < units; ++unit) {
    played.steps[0].push_back(MakeStep(unit, reward + 0.01 * unit, 40'000));
    played.steps[0].push_back(MakeStep(unit, reward + 0.01 * unit, 60'000));
  }
  return played;
}

TEST(DrawOrderTest, EveryPolicyOnceACycle) {
  const auto order = DrawOrder(7, 40, 3);
  ASSERT_EQ(order.size(), 40U);
  std::set<std::vector<int>> different;
  for (std::vector<int> cycle : order) {
    different.insert(cycle);
    std::sort(cycle.begin(), cycle.end());
    EXPECT_THAT(cycle, ElementsAre(0, 1, 2, 3, 4, 5, 6));
  }
  EXPECT_GT(different.size(), 30U);
  EXPECT_EQ(order, DrawOrder(7, 40, 3));
  EXPECT_NE(order, DrawOrder(7, 40, 4));
}

TEST(RowsTest, CountWhatWasPlayed) {
  const std::vector<Row> rows =
      MakeRows({Play(kRandom, 0, 10), Play(kOracle, 1, 10), Play(kSacd, 0.9, 10)}, /*seed=*/1);
  ASSERT_EQ(rows.size(), 3U);
  const Row& row = rows[2];
  EXPECT_EQ(row.policy, kSacd);
  EXPECT_EQ(row.inferences, 20);
  EXPECT_EQ(row.misses, 10);
  EXPECT_NEAR(row.normalized.mean, 0.9, 1e-9);
  EXPECT_NEAR(row.miss_share.mean, 0.5, 1e-9);
  EXPECT_NEAR(row.accuracy.mean, 0.8, 1e-9);
  EXPECT_NEAR(row.timely_accuracy.mean, 0.4, 1e-9);
  EXPECT_NEAR(row.reliability.mean, 0.5, 1e-9);
  EXPECT_EQ(row.bytes_up.mean, 100);
  EXPECT_NEAR(row.latency_us.mean, 50'000, 1e-6);
  EXPECT_NEAR(rows[0].normalized.mean, 0, 1e-9);
  EXPECT_NEAR(rows[1].normalized.mean, 1, 1e-9);
}

TEST(RowsTest, FilesOfOnePolicyAreOneRow) {
  Played sacd = Play(kSacd, 0.5, 4);
  sacd.files = {"a.onnx", "b.onnx"};
  sacd.steps.push_back(Play(kSacd, 0.7, 4).steps[0]);
  const std::vector<Row> rows = MakeRows({sacd}, 1);
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_EQ(rows[0].inferences, 16);
  ASSERT_EQ(rows[0].rewards_by_file.size(), 2U);
  EXPECT_NEAR(rows[0].rewards_by_file[1] - rows[0].rewards_by_file[0], 0.2, 1e-9);
  EXPECT_NEAR(rows[0].reward.mean, 0.615, 1e-9);
  EXPECT_EQ(rows[0].normalized.mean, 0);
}

TEST(RowsTest, DecisionsOfTheGuardAreCounted) {
  Played sacd = Play(kSacd, 0.5, 2);
  sacd.steps[0][0].reason = std::string(ReasonName(Reason::kGuarded));
  sacd.steps[0][1].reason = std::string(ReasonName(Reason::kUnfamiliar));
  sacd.steps[0][2].reason = std::string(ReasonName(Reason::kLearned));
  EXPECT_NEAR(MakeRows({sacd}, 1)[0].guarded_share, 0.5, 1e-9);
}

TEST(MixTest, HoldsEveryStepOnce) {
  std::vector<Step> steps;
  for (const double bps : {1e6, 1.1e6, 3e6, 40e6}) {
    steps.push_back(MakeStep(0, 0, 1));
    steps.back().up_bps = bps;
  }
  steps.back().where = Where::kDevice;
  const Mix mix = MixOf(kSacd, {steps});
  std::int64_t total = 0;
  for (const MixBin& bin : mix.bins) {
    EXPECT_LT(bin.low_bps, bin.high_bps);
    std::int64_t where = 0;
    for (const auto& [name, count] : bin.where) where += count;
    EXPECT_EQ(where, bin.inferences);
    total += bin.inferences;
  }
  EXPECT_EQ(total, 4);
  EXPECT_EQ(mix.bins.front().inferences, 1);  // 2^20 lies between the first two.
  EXPECT_EQ(mix.bins.back().where.at("device"), 1);
}

TEST(ReplayTest, LeavesOutWhatFellBackOrWasNotReplayed) {
  std::vector<Step> steps(4, MakeStep(0, 0, 10'000));
  steps[0].replayed_us = 11'000;
  steps[1].replayed_us = 8'000;
  steps[2].replayed_us = 90'000;
  steps[2].fallback = "timeout after 1 s";
  const Replay replay = ReplayOf(steps);
  EXPECT_EQ(replay.inferences, 2);
  EXPECT_NEAR(replay.median_error, 0.15, 1e-9);
  EXPECT_NEAR(replay.bias, 0.95, 1e-9);
}

TEST(RankTest, ComparesWhatBothHave) {
  const std::vector<Row> simulated = MakeRows(
      {Play(kRandom, 0, 3), Play(kExact, 0.6, 3), Play(kSacd, 0.7, 3), Play(kDqn, 1, 3)}, 1);
  const std::vector<Row> real =
      MakeRows({Play(kSacd, 0.5, 3), Play(kExact, 0.6, 3), Play(kRandom, 0, 3)}, 1);
  const Ranking ranking = Rank(simulated, real);
  EXPECT_THAT(ranking.simulated, ElementsAre(kSacd, kExact, kRandom));
  EXPECT_THAT(ranking.real, ElementsAre(kExact, kSacd, kRandom));
  EXPECT_NEAR(ranking.spearman, 0.5, 1e-9);
}

rig::Goal Find(const Results& results, const std::string& id) {
  const auto goals = EvaluateGoals(results);
  const auto found = std::find_if(goals.begin(), goals.end(),
                                  [&](const rig::Goal& goal) { return goal.id == id; });
  return found == goals.end() ? rig::Goal{.id = "missing"} : *found;
}

TEST(SacdGoalsTest, NothingMeasuredIsNeverMet) {
  const auto goals = EvaluateGoals(Results{});
  EXPECT_EQ(goals.size(), 8U);
  for (const rig::Goal& goal : goals) EXPECT_EQ(goal.met, rig::Met::kUnknown) << goal.id;
}

TEST(SacdGoalsTest, NearTheOracle) {
  Results results;
  results.simulated.rows =
      MakeRows({Play(kRandom, 0, 5), Play(kOracle, 1, 5), Play(kSacd, 0.98, 5)}, 1);
  results.real.rows = MakeRows({Play(kRandom, 0, 5), Play(kOracle, 1, 5), Play(kSacd, 0.9, 5)}, 1);
  EXPECT_EQ(Find(results, "near_oracle_simulated").met, rig::Met::kYes);
  EXPECT_EQ(Find(results, "near_oracle_real").met, rig::Met::kNo);
  results.real.rows.erase(results.real.rows.begin());
  EXPECT_EQ(Find(results, "near_oracle_real").met, rig::Met::kUnknown);
}

TEST(SacdGoalsTest, AnOracleBelowRandomScalesNothing) {
  Results results;
  results.simulated.rows =
      MakeRows({Play(kRandom, 1, 5), Play(kOracle, 0, 5), Play(kSacd, 0.9, 5)}, 1);
  EXPECT_EQ(Find(results, "near_oracle_simulated").met, rig::Met::kUnknown);
}

TEST(SacdGoalsTest, AnOracleThatIsBeatenIsNoYardstick) {
  Results results;
  results.real.rows = MakeRows(
      {Play(kRandom, 0, 5), Play(kOracle, 1, 5), Play(kSacd, 0.95, 5), Play(kExact, 1.1, 5)}, 1);
  const rig::Goal goal = Find(results, "near_oracle_real");
  EXPECT_EQ(goal.met, rig::Met::kUnknown);
  EXPECT_THAT(goal.note, HasSubstr("exact search"));
}

TEST(SacdGoalsTest, ARivalWhoseIntervalOverlapsIsNotBeaten) {
  Results results;
  results.simulated.rows = MakeRows({Play(kExact, 0.5, 20), Play(kSacd, 0.505, 20)}, 1);
  const rig::Goal overlapping = Find(results, "above_rivals");
  EXPECT_EQ(overlapping.met, rig::Met::kNo);
  EXPECT_THAT(overlapping.note, HasSubstr("exact search"));
  results.simulated.rows = MakeRows({Play(kExact, 0.5, 20), Play(kSacd, 0.9, 20)}, 1);
  EXPECT_EQ(Find(results, "above_rivals").met, rig::Met::kYes);
}

TEST(SacdGoalsTest, FewerMissesCountOnlyAtNoLowerAccuracy) {
  Results results;
  Played dynamic = Play(kDynamic, 0, 10);
  Played sacd = Play(kSacd, 0, 10);
  for (Step& step : sacd.steps[0]) step.latency_us = 10'000;
  results.real.rows = MakeRows({dynamic, sacd}, 1);
  EXPECT_EQ(Find(results, "misses_real").met, rig::Met::kYes);
  for (Step& step : sacd.steps[0]) step.accuracy = 0.79;
  results.real.rows = MakeRows({dynamic, sacd}, 1);
  EXPECT_EQ(Find(results, "misses_real").met, rig::Met::kNo);
}

TEST(SacdGoalsTest, ReplayAndRanking) {
  Results results;
  results.real.replay[""] = {.inferences = 10, .median_error = 0.11};
  EXPECT_EQ(Find(results, "replay_error").met, rig::Met::kNo);
  results.real.replay[""].median_error = 0.1;
  EXPECT_EQ(Find(results, "replay_error").met, rig::Met::kYes);
  results.ranking = {{"a", "b"}, {"b", "a"}, -1};
  EXPECT_EQ(Find(results, "same_ranking").met, rig::Met::kNo);
  results.ranking = {{"a", "b"}, {"a", "b"}, 1};
  EXPECT_EQ(Find(results, "same_ranking").met, rig::Met::kYes);
}

Results SomeResults() {
  Results results;
  const std::vector<Played> played = {Play(kRandom, 0, 4), Play(kOracle, 1, 4),
                                      Play(kSacd, 0.9, 4)};
  results.simulated.rows = MakeRows(played, 1);
  results.simulated.mixes = {MixOf(kSacd, played[2].steps)};
  results.simulated.timelines = {{"outage", "what", {1, 2}, {{kSacd, played[2].steps[0]}}}};
  results.real.rows = MakeRows(played, 1);
  results.real.steps[kSacd] = played[2].steps[0];
  for (Step& step : results.real.steps[kSacd]) step.replayed_us = 41'000;
  results.real.replay[""] = ReplayOf(results.real.steps[kSacd]);
  Conclude(results);
  return results;
}

TEST(SacdResultsTest, TheFileHoldsAllOfIt) {
  const Results results = SomeResults();
  const auto again = FromJson(ToJson(results), "file");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToJson(*again), ToJson(results));
  EXPECT_EQ(again->real.steps.at(kSacd).size(), 8U);
}

TEST(SacdResultsTest, OtherFilesAreRefused) {
  for (const char* text : {"", "[]", "{}", R"({"schema":"cleave-experiment-dsc/1"})",
                           R"({"schema":"cleave-experiment-sacd/1","simulated":7})"}) {
    const auto results = FromJson(text, "some.json");
    ASSERT_FALSE(results.ok()) << text;
    EXPECT_THAT(std::string(results.status().message()), HasSubstr("some.json")) << text;
  }
}

TEST(SacdResultsTest, TablesNameEveryPolicy) {
  const std::string text = ToText(SomeResults());
  EXPECT_THAT(text, HasSubstr("| SAC-d | 8 |"));
  EXPECT_THAT(text, HasSubstr("## Real"));
  EXPECT_THAT(text, HasSubstr("Spearman"));
}

TEST(SacdResultsTest, TablesSayWhatAHypervisorTookWhereItIsKnown) {
  Results results = SomeResults();
  EXPECT_THAT(ToText(results), Not(HasSubstr("hypervisor")));
  results.real.stolen_share = 0.004;
  results.real.repeated_cycles = 3;
  EXPECT_THAT(ToText(results), HasSubstr("a hypervisor took 0.4% of the processor's time"));
  EXPECT_THAT(ToText(results), HasSubstr("more than 2% of theirs: 3"));
}

TEST(SacdReportTest, HoldsFiguresButNotEveryStep) {
  Results results = SomeResults();
  results.curves = R"({"seeds":[{"seed":1,"curve":[{"step":1,"score":0.5}]}]})";
  results.command = "</script><script>alert(1)</script>";
  const std::string html = RenderReport(results);
  EXPECT_THAT(html, Not(HasSubstr("<script>alert(1)")));
  const std::string open = R"(<script type="application/json" id="data">)";
  const std::size_t begin = html.find(open) + open.size();
  const auto data = nlohmann::json::parse(html.substr(begin, html.find("</script", begin) - begin));
  EXPECT_EQ(data["command"], results.command);
  EXPECT_EQ(data["curves"]["seeds"][0]["curve"][0]["score"], 0.5);
  EXPECT_FALSE(data["real"].contains("steps"));
  EXPECT_EQ(data["real"]["scatter"][kSacd].size(), 8U);
  EXPECT_EQ(data["goals"].size(), 8U);
}

TEST(SacdReportTest, CurvesThatAreNoJsonAreLeftOut) {
  Results results = SomeResults();
  results.curves = "not JSON";
  EXPECT_THAT(RenderReport(results), HasSubstr("\"curves\":null"));
}

TEST(SacdOptionsTest, NamesWhatIsWrong) {
  Options options;
  EXPECT_THAT(std::string(ParseParts({"imagined"}).status().message()),
              HasSubstr("parts: found 'imagined'"));
  options.parts = {Part::kReal};
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("data: found none"));
  options.parts = {Part::kSimulated};
  EXPECT_TRUE(options.Validate().ok());
}

}  // namespace
}  // namespace cleave::experiments::sacd
