#include "experiments/sacd/player.h"

#include <algorithm>
#include <utility>

#include "core/status_macros.h"
#include "policy/constraints.h"
#include "policy/learned.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/policy_spec.h"
#include "policy/random.h"
#include "policy/splitee.h"
#include "policy/spread.h"

namespace cleave::experiments::sacd {
namespace {

// Whether a policy is told the deadline.
enum class Deadline { kTold, kNone };

// Any of the product's policies.
class PolicyPlayer final : public Player {
 public:
  PolicyPlayer(std::unique_ptr<Policy> policy, Deadline deadline)
      : policy_(std::move(policy)), deadline_(deadline) {}

  Decision Choose(const world::SimulatedEnvironment& environment) override {
    return policy_->Decide(environment.table(), environment.observation());
  }
  bool untimed() const override { return deadline_ == Deadline::kNone; }

 private:
  const std::unique_ptr<Policy> policy_;
  const Deadline deadline_;
};

Decision At(const world::SimulatedEnvironment& environment, int row) {
  return {.index = row, .entropy = environment.EntropyOf(row)};
}

// Goes on from one episode to the next with what it has learned, as a device that stays on does.
class SplitEePlayer final : public Player {
 public:
  explicit SplitEePlayer(const world::SimulatedEnvironment& environment)
      : policy_(environment.plans(), environment.options().constraints, {}) {}

  Decision Choose(const world::SimulatedEnvironment& environment) override {
    return policy_.Choose(environment.table(), environment.observation());
  }

  // There is no picture here: the plan's calibrated accuracy stands for the mean confidence. No
  // exit on the way was computed, so none was seen beside.
  absl::Status Learn(const world::SimulatedEnvironment::Result& result) override {
    return policy_.Learn({.taken = {.plan = result.plan,
                                    .confidence = result.outcome.accuracy,
                                    .predicted_us = result.predicted_us,
                                    .latency_us = result.outcome.latency_us},
                          .passed = {},
                          .deadline_us = result.outcome.deadline_us});
  }

 private:
  SplitEe policy_;
};

class OraclePlayer final : public Player {
 public:
  Decision Choose(const world::SimulatedEnvironment& environment) override {
    return At(environment, environment.OracleRow());
  }
};

NamedPlayer Of(const char* name, std::unique_ptr<Policy> policy,
               Deadline deadline = Deadline::kTold) {
  return {name, "", std::make_unique<PolicyPlayer>(std::move(policy), deadline)};
}

FixedPlan Fixed(const Plan& plan) {
  return {.cut = plan.cut, .encoding = plan.encoding, .exit = plan.exit};
}

Step ToStep(const world::SimulatedEnvironment& environment,
            const world::SimulatedEnvironment::Truth& truth, double t_us, const Observation& seen,
            const Decision& decision, const world::SimulatedEnvironment::Result& result, int unit) {
  const PlanTable& table = environment.table();
  const PlanCost& cost = table.plans[static_cast<std::size_t>(decision.index)];
  return {.unit = unit,
          .t_us = static_cast<std::int64_t>(t_us),
          .exit = cost.plan.exit,
          .cut = cost.plan.cut,
          .encoding = cost.plan.encoding,
          .where = result.where,
          .reason = std::string(ReasonName(decision.reason)),
          .fallback = result.skipped     ? "not asked"
                      : result.fell_back ? "timeout"
                                         : "",
          .latency_us = result.outcome.latency_us,
          .predicted_us = result.predicted_us,
          .accuracy = result.outcome.accuracy,
          .expected_accuracy = AccuracyOf(cost, table).value_or(0),
          .bytes_up = result.bytes_up,
          .deadline_us = result.outcome.deadline_us,
          .reward = result.reward,
          .miss_chance =
              seen.deadline_us ? std::optional<double>(LateChance(cost, seen)) : std::nullopt,
          .up_bps = truth.up_bps,
          .device_slowdown = truth.device_slowdown};
}

}  // namespace

int RowOf(const PlanTable& table, const Plan& plan) {
  const auto found = std::find_if(table.plans.begin(), table.plans.end(),
                                  [&](const PlanCost& cost) { return cost.plan == plan; });
  return found == table.plans.end() ? -1 : static_cast<int>(found - table.plans.begin());
}

absl::StatusOr<std::vector<NamedPlayer>> MakePlayers(const world::SimulatedEnvironment& environment,
                                                     const std::vector<LearnedPolicy>& learned,
                                                     int best_fixed_row, std::uint64_t seed) {
  const PlanTable& table = environment.table();
  const Constraints& constraints = environment.options().constraints;
  std::vector<NamedPlayer> players;
  players.push_back(Of(kDeviceOnly, MakeDevicePolicy()));
  players.push_back(Of(kEdgeOnly, MakeEdgePolicy()));
  const Plan jpeg{.exit = table.plans.back().plan.exit, .cut = 0, .encoding = Encoding::kJpeg};
  if (RowOf(table, jpeg) >= 0) players.push_back(Of(kEdgeJpeg, MakeFixedPolicy(Fixed(jpeg))));
  const Plan& fixed = table.plans[static_cast<std::size_t>(best_fixed_row)].plan;
  players.push_back(Of(kBestFixed, MakeFixedPolicy(Fixed(fixed))));
  players.push_back(Of(kDynamic, MakeDynamicPolicy(constraints), Deadline::kNone));
  players.push_back(Of(kExact, MakeDynamicPolicy(constraints)));
  players.push_back(Of(kExactMeans, MakeDynamicPolicy(constraints, DeadlineRule::kByMeans)));
  players.push_back(Of(kRandom, MakeRandomPolicy(environment.plans(), constraints, seed)));
  players.push_back({kSplitEe, "", std::make_unique<SplitEePlayer>(environment)});
  players.push_back({kOracle, "", std::make_unique<OraclePlayer>()});
  for (const LearnedPolicy& policy : learned) {
    for (const std::string& file : policy.files) {
      CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<Policy> loaded,
                              LoadLearnedPolicy(file, environment.model_digest(), constraints));
      players.push_back(Of(policy.name.c_str(), std::move(loaded)));
      players.back().file = file;
    }
  }
  return players;
}

absl::StatusOr<std::vector<Step>> PlayEpisode(world::SimulatedEnvironment& environment,
                                              Player& player, std::uint64_t seed, int unit) {
  CLEAVE_RETURN_IF_ERROR(environment.Reset(seed));
  std::vector<Step> steps;
  for (bool truncated = false; !truncated;) {
    const world::SimulatedEnvironment::Truth truth = environment.TruthNow();
    const double t_us = environment.now_us();
    const Observation seen = environment.observation();
    const Decision decision = player.Choose(environment);
    CLEAVE_ASSIGN_OR_RETURN(const world::SimulatedEnvironment::Result result,
                            environment.Run({.row = decision.index, .entropy = decision.entropy}));
    CLEAVE_RETURN_IF_ERROR(player.Learn(result));
    steps.push_back(ToStep(environment, truth, t_us, seen, decision, result, unit));
    truncated = result.truncated;
  }
  return steps;
}

absl::StatusOr<int> BestFixedRow(world::SimulatedEnvironment& environment,
                                 const std::vector<std::uint64_t>& seeds) {
  const std::vector<int>& rows = environment.rows();
  std::vector<double> sums(rows.size());
  OraclePlayer oracle;
  for (const std::uint64_t seed : seeds) {
    CLEAVE_RETURN_IF_ERROR(environment.Reset(seed));
    for (bool truncated = false; !truncated;) {
      for (std::size_t i = 0; i < rows.size(); ++i) {
        sums[i] += environment.Expected(rows[i]).reward;
      }
      const Decision decision = oracle.Choose(environment);
      CLEAVE_ASSIGN_OR_RETURN(
          const world::SimulatedEnvironment::Result result,
          environment.Run({.row = decision.index, .entropy = decision.entropy}));
      truncated = result.truncated;
    }
  }
  return rows[static_cast<std::size_t>(std::max_element(sums.begin(), sums.end()) - sums.begin())];
}

}  // namespace cleave::experiments::sacd
