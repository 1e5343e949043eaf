#include "policy/random.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <random>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "policy/features.h"
#include "policy/predict.h"

namespace cleave {
namespace {

std::vector<std::optional<int>> AllRows(const PlanTable& table) {
  std::vector<std::optional<int>> rows;
  for (std::size_t row = 0; row < table.plans.size(); ++row) rows.emplace_back(row);
  return rows;
}

bool AnyLocal(const PlanTable& table, const std::vector<std::optional<int>>& rows) {
  return std::any_of(rows.begin(), rows.end(), [&table](std::optional<int> row) {
    return row && !table.plans[*row].remote();
  });
}

class RandomPolicy final : public Policy {
 public:
  RandomPolicy(std::vector<Plan> plans, const Constraints& constraints, std::uint64_t seed)
      : plans_(std::move(plans)), constraints_(constraints), random_(seed) {}

  absl::string_view name() const override { return "random"; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    std::vector<std::optional<int>> rows = RowsOf(table, plans_);
    if (!AnyLocal(table, rows)) rows = AllRows(table);
    Features features;
    Featurize(table, rows, observation, constraints_, features);
    std::vector<int> valid;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (features.valid[i] != 0) valid.push_back(*rows[i]);
    }
    const int index = valid[Draw(valid.size())];
    const Prediction prediction = Predict(table.plans[index], observation);
    const bool can_send = observation.edge_usable && observation.link.up;
    return {index, prediction.total_us(), can_send ? Reason::kRandom : Reason::kEdgeUnusable,
            prediction.entropy};
  }

 private:
  std::size_t Draw(std::size_t count) const {
    const absl::MutexLock lock(&mutex_);
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(random_);
  }

  const std::vector<Plan> plans_;
  const Constraints constraints_;
  mutable absl::Mutex mutex_;
  mutable std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Policy> MakeRandomPolicy(std::vector<Plan> plans, const Constraints& constraints,
                                         std::uint64_t seed) {
  return std::make_unique<RandomPolicy>(std::move(plans), constraints, seed);
}

}  // namespace cleave
