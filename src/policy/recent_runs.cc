#include "policy/recent_runs.h"

#include <algorithm>
#include <cmath>

namespace cleave {
namespace {

void Blend(double& mean, double value, double weight) { mean += weight * (value - mean); }

}  // namespace

void RunHistory::Add(const EndedRun& run) {
  const double log_ratio = std::log(run.latency_us) - std::log(run.predicted_us);
  if (!(run.predicted_us > 0 && run.latency_us > 0) || !std::isfinite(log_ratio)) return;
  runs_.count = std::min(runs_.count + 1, kFull);
  // A plain mean of the first few, so that the first one does not weigh on.
  const double weight = std::max(kWeight, 1.0 / runs_.count);
  runs_.last_log_ratio = log_ratio;
  runs_.last_latency_us = run.latency_us;
  runs_.last_missed = run.missed;
  runs_.last_remote = run.remote;
  Blend(runs_.miss_share, run.missed ? 1 : 0, weight);
  Blend(runs_.mean_log_ratio, runs_.last_log_ratio, weight);
  Blend(mean_square_, runs_.last_log_ratio * runs_.last_log_ratio, weight);
  runs_.log_ratio_deviation =
      std::sqrt(std::max(0.0, mean_square_ - runs_.mean_log_ratio * runs_.mean_log_ratio));
}

}  // namespace cleave
