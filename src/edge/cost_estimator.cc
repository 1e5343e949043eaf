#include "edge/cost_estimator.h"

namespace cleave {
namespace {

constexpr double kWeight = 0.2;

}  // namespace

void CostEstimator::Observe(const RunKind& kind, double compute_us) {
  const absl::MutexLock lock(&mutex_);
  overall_us_ += overall_us_ == 0 ? compute_us : kWeight * (compute_us - overall_us_);
  // A peer chooses batch sizes, so the number of kinds has a limit.
  if (by_kind_.size() >= kMaxKinds) by_kind_.clear();
  const auto [place, added] = by_kind_.try_emplace(kind, compute_us);
  if (!added) place->second += kWeight * (compute_us - place->second);
}

double CostEstimator::ExpectedUs(const RunKind& kind) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = by_kind_.find(kind);
  return found == by_kind_.end() ? overall_us_ : found->second;
}

}  // namespace cleave
