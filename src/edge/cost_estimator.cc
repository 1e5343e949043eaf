#include "edge/cost_estimator.h"

namespace cleave {
namespace {

constexpr double kWeight = 0.2;
constexpr std::int64_t kOutOfDateUs = 1'000'000;

}  // namespace

void CostEstimator::Observe(const RunKind& kind, double compute_us) {
  const absl::MutexLock lock(&mutex_);
  Add(kind, compute_us);
}

void CostEstimator::ObserveBrokenOff(const RunKind& kind, double elapsed_us) {
  const absl::MutexLock lock(&mutex_);
  const auto found = by_kind_.find(kind);
  if (found == by_kind_.end() || elapsed_us > found->second.mean_us) {
    Add(kind, elapsed_us);
  } else {
    found->second.observed_us = clock_.NowUs();
  }
}

void CostEstimator::Add(const RunKind& kind, double compute_us) {
  overall_us_ += overall_us_ == 0 ? compute_us : kWeight * (compute_us - overall_us_);
  // A peer chooses shapes, so the number of kinds has a limit.
  if (by_kind_.size() >= kMaxKinds) by_kind_.clear();
  const auto [place, added] = by_kind_.try_emplace(kind, Cost{compute_us, 0});
  Cost& cost = place->second;
  if (!added) cost.mean_us += kWeight * (compute_us - cost.mean_us);
  cost.observed_us = clock_.NowUs();
}

double CostEstimator::ExpectedUs(const RunKind& kind) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = by_kind_.find(kind);
  return found == by_kind_.end() ? overall_us_ : found->second.mean_us;
}

bool CostEstimator::IsOutOfDate(const RunKind& kind) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = by_kind_.find(kind);
  return found == by_kind_.end() || clock_.NowUs() - found->second.observed_us > kOutOfDateUs;
}

}  // namespace cleave
