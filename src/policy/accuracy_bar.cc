#include "policy/accuracy_bar.h"

#include <algorithm>

namespace cleave {

// Accuracies are counts over at most some millions of samples: what is nearer than this is equal.
constexpr double kRounding = 1e-9;

AccuracyBar::AccuracyBar(const Constraints& constraints, const PlanTable& table,
                         const Observation& observation)
    : table_(table) {
  const bool has_bar = constraints.min_accuracy || constraints.accuracy_drop;
  exact_only_ = !table.best_accuracy || (!has_bar && !observation.deadline_us);
  lowest_ = constraints.min_accuracy.value_or(0) - kRounding;
  if (table.best_accuracy && constraints.accuracy_drop) {
    lowest_ = std::max(lowest_, *table.best_accuracy - *constraints.accuracy_drop - kRounding);
  }
}

bool Constraints::AllowsAccuracy(const PlanCost& cost, const PlanTable& table,
                                 const Observation& observation) const {
  return AccuracyBar(*this, table, observation).Passes(cost);
}

}  // namespace cleave
