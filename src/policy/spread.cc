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

double TotalVarianceUs2(const PlanCost& cost, const Observation& observation,
                        const Prediction& prediction) {
  double variance = PartsVariance(cost, observation, prediction);
  if (cost.remote() && observation.recent.count > 0) {
    variance =
        std::max(variance, Square(prediction.total_us() * observation.recent.log_ratio_deviation));
  }
  // Nothing is known where the parts are no numbers.
  return std::isnan(variance) ? std::numeric_limits<double>::infinity() : variance;
}

double TotalDeviationUs(const PlanCost& cost, const Observation& observation,
                        const Prediction& prediction) {
  return std::sqrt(TotalVarianceUs2(cost, observation, prediction));
}

double TotalDeviationUs(const PlanCost& cost, const Observation& observation) {
  return TotalDeviationUs(cost, observation, PredictInline(cost, observation));
}

double LateChance(double limit_us, double mean_us, double variance_us2) {
  const double left_us = limit_us - mean_us;
  if (std::isnan(left_us) || std::isnan(variance_us2)) return 1;
  if (!(variance_us2 > 0)) return left_us >= 0 ? 0 : 1;
  if (left_us < 0) {
    const double logarithm = std::log(std::max(limit_us, 0.0) / mean_us);
    return ChanceAbove(logarithm, 0, std::sqrt(variance_us2) / mean_us);
  }
  // With t = left / deviation the chance is (1 - t / sqrt(2 + t^2)) / 2.
  const double square = std::min(left_us * left_us, std::numeric_limits<double>::max() / 4);
  return (1 - std::sqrt(square / (square + 2 * variance_us2))) / 2;
}

double LateChance(const PlanCost& cost, const Observation& observation) {
  if (!observation.deadline_us) return 0;
  const Prediction prediction = PredictInline(cost, observation);
  return LateChance(*observation.deadline_us, prediction.total_us(),
                    TotalVarianceUs2(cost, observation, prediction));
}

double ChanceAbove(double limit, double mean, double deviation) {
  if (!(deviation > 0)) return mean <= limit ? 0 : 1;
  const double chance = 0.5 * std::erfc((limit - mean) / (deviation * std::numbers::sqrt2));
  return std::isnan(chance) ? 1 : chance;
}

}  // namespace cleave
