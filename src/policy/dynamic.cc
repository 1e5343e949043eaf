#include <limits>
#include <memory>
#include <optional>

#include "policy/accuracy_bar.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/predict.h"

namespace cleave {
namespace {

constexpr double kImpossibleUs = -1;

// How one plan compares with others.
struct Score {
  double time_us = std::numeric_limits<double>::infinity();  // What is untried counts double.
  double bytes = std::numeric_limits<double>::infinity();
  std::optional<double> accuracy;  // Of a plan that is in time, where there is a deadline.
  std::optional<int> index;        // Nothing: no plan yet.
};

bool Better(const Score& a, const Score& b) {
  if (a.accuracy != b.accuracy) return a.accuracy > b.accuracy;
  return a.time_us < b.time_us || (a.time_us == b.time_us && a.bytes < b.bytes);
}

class Search {
 public:
  Search(const Constraints& constraints, const PlanTable& table, const Observation& observation)
      : constraints_(constraints),
        table_(table),
        observation_(observation),
        bar_(constraints, table, observation),
        deadline_us_(observation.deadline_us),
        can_send_(observation.edge_usable && observation.link.up) {}

  // Every plan that the constraints allow.
  Score Best() const {
    return BestWhere([this](const PlanCost& cost) {
      return (!cost.remote() || can_send_) && constraints_.Allows(cost, observation_);
    });
  }

  // Plans on the device alone, however long they take.
  Score BestOnDevice() const {
    return BestWhere([](const PlanCost& cost) { return !cost.remote(); });
  }

  bool can_send() const { return can_send_; }

 private:
  // Exact: what is passed over is longer on the device alone than what would make it better.
  template <typename Filter>
  Score BestWhere(const Filter& allowed) const {
    Score best;
    const int size = static_cast<int>(table_.plans.size());
    for (int i = 0; i < size; ++i) {
      const PlanCost& cost = table_.plans[i];
      if (!bar_.Passes(cost)) continue;
      if (cost.head_us * observation_.device_slowdown.mean > TimeToBeat(cost, best)) continue;
      if (!allowed(cost)) continue;
      const Score score = ScoreOf(cost, i);
      if (Better(score, best)) best = score;
    }
    return best;
  }

  // A plan that takes longer than this is not better than the best so far; no plan takes less than
  // nothing.
  double TimeToBeat(const PlanCost& cost, const Score& best) const {
    if (!best.accuracy) return best.time_us;
    const double accuracy = bar_.Of(cost);
    if (accuracy < *best.accuracy) return kImpossibleUs;
    return accuracy > *best.accuracy ? *deadline_us_ : best.time_us;
  }

  Score ScoreOf(const PlanCost& cost, int index) const {
    const Prediction prediction = PredictInline(cost, observation_);
    Score score;
    score.index = index;
    score.bytes = cost.RequestBytes({.entropy = prediction.entropy});
    score.time_us = ComparedUs(cost, observation_, prediction);
    if (deadline_us_ && score.time_us <= *deadline_us_) score.accuracy = bar_.Of(cost);
    return score;
  }

  const Constraints& constraints_;
  const PlanTable& table_;
  const Observation& observation_;
  const AccuracyBar bar_;
  const std::optional<double> deadline_us_;
  const bool can_send_;
};

class DynamicPolicy : public Policy {
 public:
  explicit DynamicPolicy(Constraints constraints) : constraints_(constraints) {}

  absl::string_view name() const override { return "dynamic"; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    const Search search(constraints_, table, observation);
    Score best = search.Best();
    const bool only_one = !best.index;
    if (only_one) best = search.BestOnDevice();
    const int index = best.index.value_or(static_cast<int>(table.plans.size()) - 1);
    const Prediction prediction = Predict(table.plans[index], observation);
    return {index, prediction.total_us(),
            !search.can_send() ? Reason::kEdgeUnusable
            : only_one         ? Reason::kOnlyOneLeft
                               : ReasonOf(best, table, observation),
            prediction.entropy};
  }

 private:
  static Reason ReasonOf(const Score& best, const PlanTable& table,
                         const Observation& observation) {
    if (!observation.deadline_us) return Reason::kFastest;
    if (!best.accuracy) return Reason::kNoneInTime;
    return table.best_accuracy ? Reason::kMostAccurate : Reason::kFastest;
  }

  const Constraints constraints_;
};

}  // namespace

std::unique_ptr<Policy> MakeDynamicPolicy(Constraints constraints) {
  return std::make_unique<DynamicPolicy>(constraints);
}

}  // namespace cleave
