#include "policy/reward.h"

#include <algorithm>

#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {

absl::Status RewardOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("latency_weight", latency_weight));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("latency_cap", latency_cap));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("miss_penalty", miss_penalty));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("energy_weight", energy_weight));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("compute_w", compute_w));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("radio_w", radio_w));
  return CheckNotNegative("idle_w", idle_w);
}

double EnergyJ(const Outcome& outcome, const RewardOptions& options) {
  const double idle_us = std::max(0.0, outcome.latency_us - outcome.device_us - outcome.radio_us);
  return 1e-6 * (options.compute_w * outcome.device_us + options.radio_w * outcome.radio_us +
                 options.idle_w * idle_us);
}

double Reward(const Outcome& outcome, const RewardOptions& options) {
  const double lateness = std::min(outcome.latency_us / outcome.deadline_us, options.latency_cap);
  return outcome.accuracy - options.latency_weight * lateness -
         (outcome.missed() ? options.miss_penalty : 0) -
         options.energy_weight * EnergyJ(outcome, options);
}

}  // namespace cleave
