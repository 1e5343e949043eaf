#include "policy/guard.h"

namespace cleave {
namespace {

Decision Learned(const PlanTable& table, const Observation& observation, int index) {
  const Prediction prediction = Predict(table.plans[index], observation);
  const bool can_send = observation.edge_usable && observation.link.up;
  return {index, prediction.total_us(), can_send ? Reason::kLearned : Reason::kEdgeUnusable,
          prediction.entropy};
}

bool InTime(const Decision& decision, const Observation& observation) {
  return !observation.deadline_us || decision.predicted_us <= *observation.deadline_us;
}

}  // namespace

Decision Searched(const PlanTable& table, const Observation& observation, const Policy& search,
                  Reason reason) {
  Decision decision = search.Decide(table, observation);
  if (decision.reason != Reason::kEdgeUnusable) decision.reason = reason;
  return decision;
}

Decision Guarded(const PlanTable& table, const Observation& observation, int index,
                 const Policy& search) {
  const Decision learned = Learned(table, observation, index);
  if (InTime(learned, observation)) return learned;
  const Decision searched = Searched(table, observation, search, Reason::kGuarded);
  return InTime(searched, observation) ? searched : learned;
}

Decision Guarded(const PlanTable& table, const Observation& observation, int index,
                 const Decision& searched) {
  const Decision learned = Learned(table, observation, index);
  return InTime(learned, observation) || !InTime(searched, observation) ? learned : searched;
}

}  // namespace cleave
