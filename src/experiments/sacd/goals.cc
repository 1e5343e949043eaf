#include "experiments/sacd/goals.h"

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace cleave::experiments::sacd {
namespace {

constexpr double kNearOracleSimulated = 0.97;
constexpr double kNearOracleReal = 0.93;
// What chance may put above the oracle, normalized; an oracle further below is none.
constexpr double kOracleSlack = 0.02;
constexpr double kMissShare = 0.5;
constexpr double kReplayError = 0.10;

rig::Met MetIf(bool met) { return met ? rig::Met::kYes : rig::Met::kNo; }

std::string Text(const Interval& value) {
  return absl::StrFormat("%.4f (%.4f to %.4f)", value.mean, value.low, value.high);
}

rig::Goal NearOracle(const std::vector<Row>& rows, const char* id, const char* part, double limit) {
  rig::Goal goal = rig::Unknown(id, absl::StrCat("SAC-d's normalized reward, ", part),
                                absl::StrFormat(">= %.2f", limit), limit, "not run");
  const Row* const sacd = Results::Find(rows, kSacd);
  const Row* const random = Results::Find(rows, kRandom);
  const Row* const oracle = Results::Find(rows, kOracle);
  if (sacd == nullptr || random == nullptr || oracle == nullptr || sacd->inferences == 0) {
    goal.note = "SAC-d, random or oracle was not run";
    return goal;
  }
  if (!(oracle->reward.mean > random->reward.mean)) {
    goal.note = "the oracle's reward is not above random's, so nothing can be scaled by them";
    return goal;
  }
  const auto best = std::max_element(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return a.reward.mean < b.reward.mean;
  });
  if (best->normalized.mean > 1 + kOracleSlack) {
    goal.note = absl::StrCat("the oracle is no yardstick here: ", best->policy, " has ",
                             Text(best->normalized),
                             " of its reward; its costs are wrong, or the "
                             "sample is too small");
    return goal;
  }
  const Interval& value = sacd->normalized;
  return rig::Judged(std::move(goal), value.mean, MetIf(value.mean >= limit), Text(value),
                     "random = 0, oracle = 1; by the mean, the interval is beside it");
}

bool IsRival(const Row& row) {
  return row.policy != kSacd && row.policy != kSacdHedged && row.policy != kOracle;
}

rig::Goal AboveRivals(const std::vector<Row>& rows) {
  rig::Goal goal = rig::Unknown("above_rivals", "SAC-d's reward less the best rival's, simulated",
                                "above every rival, intervals apart", 0, "not run");
  const Row* const sacd = Results::Find(rows, kSacd);
  if (sacd == nullptr || sacd->inferences == 0) return goal;
  std::vector<std::string> not_beaten;
  const Row* best = nullptr;
  for (const Row& row : rows) {
    if (!IsRival(row) || row.inferences == 0) continue;
    if (best == nullptr || row.reward.mean > best->reward.mean) best = &row;
    if (sacd->reward.low > row.reward.high) continue;
    not_beaten.push_back(absl::StrFormat(
        "%s %s%s", row.policy, Text(row.reward),
        row.reward.mean > sacd->reward.mean ? ", above SAC-d" : ", intervals overlap"));
  }
  if (best == nullptr) return goal;
  const double margin = sacd->reward.mean - best->reward.mean;
  return rig::Judged(std::move(goal), margin, MetIf(not_beaten.empty()),
                     absl::StrFormat("%+.4f against %s", margin, best->policy),
                     absl::StrCat("SAC-d ", Text(sacd->reward), "; not beaten: ",
                                  not_beaten.empty() ? "none" : absl::StrJoin(not_beaten, "; ")));
}

rig::Goal NotBelowExact(const std::vector<Row>& rows) {
  rig::Goal goal = rig::Unknown("not_below_exact", "SAC-d's reward less the exact search's, real",
                                ">= 0", 0, "SAC-d or the exact search was not run");
  const Row* const sacd = Results::Find(rows, kSacd);
  const Row* const exact = Results::Find(rows, kExact);
  if (sacd == nullptr || exact == nullptr || sacd->inferences == 0 || exact->inferences == 0) {
    return goal;
  }
  const double margin = sacd->reward.mean - exact->reward.mean;
  return rig::Judged(
      std::move(goal), margin, MetIf(margin >= 0), absl::StrFormat("%+.4f", margin),
      absl::StrCat("SAC-d ", Text(sacd->reward), ", exact search ", Text(exact->reward),
                   Overlap(sacd->reward, exact->reward) ? "; the intervals overlap"
                                                        : "; the intervals are apart"));
}

rig::Goal FewerMisses(const std::vector<Row>& rows, const char* id, const char* part) {
  rig::Goal goal =
      rig::Unknown(id, absl::StrCat("SAC-d's misses / dynamic split's, ", part),
                   "<= 0.5 at no lower accuracy", kMissShare, "SAC-d or dynamic split was not run");
  const Row* const sacd = Results::Find(rows, kSacd);
  const Row* const dynamic = Results::Find(rows, kDynamic);
  if (sacd == nullptr || dynamic == nullptr || sacd->inferences == 0 || dynamic->inferences == 0) {
    return goal;
  }
  const double ours = sacd->miss_share.mean;
  const double theirs = dynamic->miss_share.mean;
  const bool no_lower = sacd->accuracy.mean >= dynamic->accuracy.mean;
  const double ratio = theirs > 0 ? ours / theirs
                       : ours > 0 ? std::numeric_limits<float>::max()
                                  : 0;
  const std::string note = absl::StrFormat(
      "late: SAC-d %.2f%%, dynamic split %.2f%%; accuracy: SAC-d %.2f%%, dynamic split %.2f%%, %s",
      100 * ours, 100 * theirs, 100 * sacd->accuracy.mean, 100 * dynamic->accuracy.mean,
      no_lower ? "no lower"
               : "lower: dynamic split sends only plans that cost no accuracy, however late");
  return rig::Judged(std::move(goal), ratio, MetIf(ratio <= kMissShare && no_lower),
                     theirs > 0 || ours == 0 ? absl::StrFormat("%.3f", ratio) : "infinite", note);
}

rig::Goal ReplayGoal(const Real& real) {
  rig::Goal goal =
      rig::Unknown("replay_error", "simulator against reality: median error of the latency",
                   "<= 10%", kReplayError, "no real run was replayed");
  const auto all = real.replay.find("");
  if (all == real.replay.end() || all->second.inferences == 0) return goal;
  const Replay& replay = all->second;
  return rig::Judged(
      std::move(goal), replay.median_error, MetIf(replay.median_error <= kReplayError),
      absl::StrFormat("%.1f%%", 100 * replay.median_error),
      absl::StrFormat("%d inferences that did not fall back, 90%% of them within %.1f%%, "
                      "median of replayed / measured %.3f",
                      replay.inferences, 100 * replay.p90_error, replay.bias));
}

rig::Goal SameRanking(const Ranking& ranking) {
  rig::Goal goal = rig::Unknown("same_ranking", "ranking of the policies, simulated and real",
                                "the same", 1, "one of the two parts was not run");
  if (ranking.simulated.size() < 2 || ranking.real.size() != ranking.simulated.size()) return goal;
  return rig::Judged(std::move(goal), ranking.spearman, MetIf(ranking.simulated == ranking.real),
                     absl::StrFormat("Spearman %.3f", ranking.spearman),
                     absl::StrCat("simulated: ", absl::StrJoin(ranking.simulated, " > "),
                                  "; real: ", absl::StrJoin(ranking.real, " > ")));
}

}  // namespace

std::vector<rig::Goal> EvaluateGoals(const Results& results) {
  const std::vector<Row>& simulated = results.simulated.rows;
  const std::vector<Row>& real = results.real.rows;
  return {NearOracle(simulated, "near_oracle_simulated", "simulated", kNearOracleSimulated),
          NearOracle(real, "near_oracle_real", "real", kNearOracleReal),
          AboveRivals(simulated),
          NotBelowExact(real),
          FewerMisses(simulated, "misses_simulated", "simulated"),
          FewerMisses(real, "misses_real", "real"),
          ReplayGoal(results.real),
          SameRanking(results.ranking)};
}

}  // namespace cleave::experiments::sacd
