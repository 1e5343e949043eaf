#include "policy/reward.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

absl::Status CheckWeight(absl::string_view field, double value) {
  if (value >= 0 && std::isfinite(value)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, ": found ", value, ", expected a number of at least 0"));
}

}  // namespace

absl::Status RewardOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckWeight("latency_weight", latency_weight));
  CLEAVE_RETURN_IF_ERROR(CheckWeight("latency_cap", latency_cap));
  CLEAVE_RETURN_IF_ERROR(CheckWeight("miss_penalty", miss_penalty));
  CLEAVE_RETURN_IF_ERROR(CheckWeight("energy_weight", energy_weight));
  CLEAVE_RETURN_IF_ERROR(CheckWeight("compute_w", compute_w));
  CLEAVE_RETURN_IF_ERROR(CheckWeight("radio_w", radio_w));
  return CheckWeight("idle_w", idle_w);
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
