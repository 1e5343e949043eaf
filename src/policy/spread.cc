#include "policy/spread.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/predict.h"

namespace cleave {
namespace {

double Square(double x) { return x * x; }

double PartsVariance(const PlanCost& cost, const Observation& observation,
                     const Prediction& prediction) {
  const double encode_us = cost.encode_us + (prediction.entropy ? cost.entropy_us : 0);
  const double device = Square((cost.head_us + encode_us) * observation.device_slowdown.deviation);
  if (!cost.remote()) return device;
  const double exchange = Square(observation.link.TransferDeviationUs(
      cost.RequestBytes({.entropy = prediction.entropy}), cost.bytes_down));
  const double edge = Square(cost.tail_us * observation.edge_slowdown.deviation);
  return device + exchange + edge + Square(prediction.queue_us);
}

}  // namespace

double TotalDeviationUs(const PlanCost& cost, const Observation& observation,
                        const Prediction& prediction) {
  double variance = PartsVariance(cost, observation, prediction);
  if (cost.remote() && observation.recent.count > 0) {
    variance =
        std::max(variance, Square(prediction.total_us() * observation.recent.log_ratio_deviation));
  }
  // Nothing is known where the parts are no numbers.
  return std::isnan(variance) ? std::numeric_limits<double>::infinity() : std::sqrt(variance);
}

double TotalDeviationUs(const PlanCost& cost, const Observation& observation) {
  return TotalDeviationUs(cost, observation, PredictInline(cost, observation));
}

double ChanceAbove(double limit, double mean, double deviation) {
  if (!(deviation > 0)) return mean <= limit ? 0 : 1;
  const double chance = 0.5 * std::erfc((limit - mean) / (deviation * std::numbers::sqrt2));
  return std::isnan(chance) ? 1 : chance;
}

}  // namespace cleave
