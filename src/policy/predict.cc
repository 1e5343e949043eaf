#include "policy/predict.h"

namespace cleave {

Prediction Predict(const PlanCost& cost, const Observation& observation) {
  return PredictInline(cost, observation);
}

}  // namespace cleave
