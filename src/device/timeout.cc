#include "device/timeout.h"

#include <algorithm>
#include <cmath>

#include "policy/predict.h"

namespace cleave {
namespace {

constexpr double kPatience = 4;
constexpr double kLeastPatienceUs = 300'000;
constexpr double kMarginUs = 1'000;
constexpr double kMarginShare = 0.02;

double WithoutDeadlineUs(const WaitTerms& terms) {
  const auto longest_us = static_cast<double>(terms.remote_timeout_us);
  if (terms.user_chose_plan) return longest_us;
  const double here_us = terms.tail_on_device_us * terms.device_slowdown.mean;
  return std::min(longest_us, std::max(kLeastPatienceUs, kPatience * (terms.remote_us + here_us)));
}

}  // namespace

std::int64_t RemoteTimeoutUs(const WaitTerms& terms) {
  const double without_us = WithoutDeadlineUs(terms);
  if (!terms.remaining_us) return std::llround(without_us);
  const double remaining_us = *terms.remaining_us;
  const double mean_us = terms.tail_on_device_us * terms.device_slowdown.mean;
  if (mean_us >= remaining_us) return std::llround(without_us);
  const double reserve_us =
      terms.tail_on_device_us * (terms.device_slowdown.mean + 2 * terms.device_slowdown.deviation);
  const double usable_us = remaining_us - kMarginUs - kMarginShare * remaining_us;
  const double budget_us = usable_us - reserve_us;
  if (budget_us <= 0 && terms.remote_us <= usable_us) return std::llround(without_us);
  return std::llround(std::clamp(budget_us, 0.0, without_us));
}

double RemotePartUs(const PlanCost& cost, const Observation& observation) {
  const Prediction prediction = Predict(cost, observation);
  return prediction.total_us() - prediction.head_us;
}

WaitTerms WaitTermsOf(const PlanCost& cost, const Observation& observation) {
  WaitTerms terms;
  terms.remote_us = RemotePartUs(cost, observation) +
                    2 * observation.link.TransferDeviationUs(cost.bytes_up, cost.bytes_down);
  terms.tail_on_device_us = cost.tail_on_device_us;
  terms.device_slowdown = observation.device_slowdown;
  return terms;
}

std::optional<std::int64_t> TooLateBudgetUs(WaitTerms terms, const PlanCost& cost,
                                            const Observation& observation) {
  if (!terms.remaining_us) return std::nullopt;
  terms.remaining_us = *terms.remaining_us - cost.head_us * observation.device_slowdown.mean;
  const std::int64_t budget_us = RemoteTimeoutUs(terms);
  if (static_cast<double>(budget_us) >= RemotePartUs(cost, observation)) return std::nullopt;
  return budget_us;
}

}  // namespace cleave
