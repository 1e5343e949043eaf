#include "policy/hedge.h"

#include <algorithm>

#include "policy/predict.h"
#include "policy/spread.h"

namespace cleave {
namespace {

struct Candidate {
  int index = 0;
  bool sure = false;
  double accuracy = 0;
  double done_us = 0;

  bool BetterThan(const Candidate& other) const {
    if (sure != other.sure) return sure;
    if (sure && accuracy != other.accuracy) return accuracy > other.accuracy;
    return done_us < other.done_us;
  }
};

// All that the device does until the hedge is done, as one plan that stays on the device.
PlanCost WorkOf(const PlanCost& hedge, const PlanCost& decided, RequestForm form,
                const HedgeTerms& terms) {
  const auto exit = static_cast<std::size_t>(hedge.plan.exit);
  const double shared_us = exit < terms.shared_us.size() ? terms.shared_us[exit] : 0;
  PlanCost work = hedge;
  work.head_us = decided.head_us + std::max(0.0, hedge.head_us - shared_us);
  work.encode_us = decided.encode_us + (form.entropy ? decided.entropy_us : 0);
  return work;
}

bool MayHedge(const PlanCost& cost, const PlanCost& decided, const PlanTable& table,
              const Observation& observation, const Constraints& constraints) {
  return !cost.remote() && cost.plan.exit < decided.plan.exit &&
         constraints.Allows(cost, observation) &&
         constraints.AllowsAccuracy(cost, table, observation);
}

}  // namespace

double MissChance(const PlanCost& cost, const Observation& observation) {
  if (!observation.deadline_us) return 0;
  const Prediction prediction = PredictInline(cost, observation);
  return ChanceAbove(*observation.deadline_us, prediction.total_us(),
                     TotalDeviationUs(cost, observation, prediction));
}

std::optional<int> HedgeFor(const PlanTable& table, const Observation& observation,
                            const Decision& decision, const HedgeTerms& terms) {
  const PlanCost& decided = table.plans[static_cast<std::size_t>(decision.index)];
  if (!decided.remote() || MissChance(decided, observation) <= terms.max_miss) return std::nullopt;
  std::optional<Candidate> best;
  for (std::size_t i = 0; i < table.plans.size(); ++i) {
    const PlanCost& cost = table.plans[i];
    if (!MayHedge(cost, decided, table, observation, terms.constraints)) continue;
    const PlanCost work = WorkOf(cost, decided, {.entropy = decision.entropy}, terms);
    const Candidate candidate{static_cast<int>(i), MissChance(work, observation) <= terms.max_miss,
                              AccuracyOf(cost, table).value_or(0),
                              PredictInline(work, observation).total_us()};
    if (!best || candidate.BetterThan(*best)) best = candidate;
  }
  return best ? std::optional<int>(best->index) : std::nullopt;
}

}  // namespace cleave
