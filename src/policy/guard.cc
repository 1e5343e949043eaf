#include "policy/guard.h"

#include "policy/predict.h"

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

Decision InTimeOf(const Decision& learned, const Decision& searched,
                  const Observation& observation) {
  return InTime(learned, observation) || !InTime(searched, observation) ? learned : searched;
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
  return InTimeOf(learned, Searched(table, observation, search, Reason::kGuarded), observation);
}

Decision Guarded(const PlanTable& table, const Observation& observation, int index,
                 const Decision& searched) {
  return InTimeOf(Learned(table, observation, index), searched, observation);
}

}  // namespace cleave
