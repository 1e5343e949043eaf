#include "edge/cost_estimator.h"

#include <algorithm>

namespace cleave {
namespace {

constexpr double kWeight = 0.2;
constexpr std::int64_t kOutOfDateUs = 1'000'000;

RunKind OfAnySize(RunKind kind) {
  kind.elements = 0;
  return kind;
}

double ElementsOf(const RunKind& kind) {
  return static_cast<double>(std::max<std::int64_t>(1, kind.elements));
}

double ItemsOf(const RunKind& kind) {
  return static_cast<double>(std::max<std::int64_t>(1, kind.items));
}

void MoveTowards(double value, double& mean) { mean += kWeight * (value - mean); }

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
  if (item_us_ == 0) item_us_ = compute_us / ItemsOf(kind);
  MoveTowards(compute_us / ItemsOf(kind), item_us_);
  // A peer chooses shapes, so the number of kinds has a limit.
  if (by_kind_.size() >= kMaxKinds) by_kind_.clear();
  if (element_us_.size() >= kMaxKinds) element_us_.clear();
  const double element_us = compute_us / ElementsOf(kind);
  MoveTowards(element_us, element_us_.try_emplace(OfAnySize(kind), element_us).first->second);
  const auto [place, added] = by_kind_.try_emplace(kind, Cost{compute_us, 0});
  Cost& cost = place->second;
  if (!added) MoveTowards(compute_us, cost.mean_us);
  cost.observed_us = clock_.NowUs();
}

double CostEstimator::ExpectedUs(const RunKind& kind) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = by_kind_.find(kind);
  if (found != by_kind_.end()) return found->second.mean_us;
  const auto any_size = element_us_.find(OfAnySize(kind));
  if (any_size != element_us_.end()) return any_size->second * ElementsOf(kind);
  return item_us_ * ItemsOf(kind);
}

bool CostEstimator::IsOutOfDate(const RunKind& kind) const {
  const absl::MutexLock lock(&mutex_);
  const auto found = by_kind_.find(kind);
  return found == by_kind_.end() || clock_.NowUs() - found->second.observed_us > kOutOfDateUs;
}

}  // namespace cleave
