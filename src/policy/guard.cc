#include "policy/guard.h"

namespace cleave {

Decision Searched(const PlanTable& table, const Observation& observation, const Policy& search,
                  Reason reason) {
  Decision decision = search.Decide(table, observation);
  if (decision.reason != Reason::kEdgeUnusable) decision.reason = reason;
  return decision;
}

Decision Guarded(const PlanTable& table, const Observation& observation, int index,
                 const Policy& search) {
  const Prediction prediction = Predict(table.plans[index], observation);
  const bool can_send = observation.edge_usable && observation.link.up;
  const Decision learned{index, prediction.total_us(),
                         can_send ? Reason::kLearned : Reason::kEdgeUnusable, prediction.entropy};
  if (!observation.deadline_us || learned.predicted_us <= *observation.deadline_us) return learned;
  const Decision searched = Searched(table, observation, search, Reason::kGuarded);
  return searched.predicted_us <= *observation.deadline_us ? searched : learned;
}

}  // namespace cleave
