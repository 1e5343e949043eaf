#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>

#include "policy/accuracy_bar.h"
#include "policy/constraints.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"
#include "policy/predict.h"
#include "policy/spread.h"

namespace cleave {
namespace {

constexpr double kImpossibleUs = -1;
// A time is later than its mean so often.
constexpr double kHalf = 0.5;
// A normally distributed value is above its mean less so many standard deviations with a chance of
// 1 - kLeastMissChance.
constexpr double kFarDeviations = 3.0902323061678132;

// How one plan compares with others.
struct Score {
  // Each inference takes so much longer than the one before it; 0 where nobody asks.
  double period_us = std::numeric_limits<double>::infinity();
  double time_us = std::numeric_limits<double>::infinity();  // What is untried counts double.
  double bytes = std::numeric_limits<double>::infinity();
  // What the plan is worth under a deadline; nothing where it is not in time, or nobody asks.
  std::optional<double> worth;
  std::optional<int> index;  // Nothing: no plan yet.
};

bool Better(const Score& a, const Score& b) {
  if (a.worth != b.worth) return a.worth > b.worth;
  if (a.period_us != b.period_us) return a.period_us < b.period_us;
  if (a.time_us != b.time_us) return a.time_us < b.time_us;
  if (a.bytes != b.bytes) return a.bytes < b.bytes;
  return !b.index || *a.index < *b.index;
}

class Search {
 public:
  Search(const Constraints& constraints, DeadlineRule rule, const PlanTable& table,
         const Observation& observation)
      : constraints_(constraints),
        rule_(rule),
        table_(table),
        observation_(observation),
        bar_(constraints, table, observation),
        deadline_us_(observation.deadline_us),
        throughput_(constraints.objective == Objective::kThroughput && !deadline_us_),
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
    // Later exits, which are the more accurate ones, leave less to do for those before them.
    for (int i = static_cast<int>(table_.plans.size()) - 1; i >= 0; --i) {
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
    if (throughput_) return best.period_us;
    if (!best.worth) {
      const bool likely_counts = deadline_us_ && rule_ == DeadlineRule::kExpectedReward;
      return likely_counts ? std::numeric_limits<double>::infinity() : best.time_us;
    }
    const double accuracy = bar_.Of(cost);
    if (accuracy < *best.worth) return kImpossibleUs;
    if (accuracy == *best.worth) return best.time_us;
    if (rule_ == DeadlineRule::kByMeans) return *deadline_us_;
    return accuracy - kHalf * kMissPenalty < *best.worth ? *deadline_us_
                                                         : std::numeric_limits<double>::infinity();
  }

  std::optional<double> WorthOf(const PlanCost& cost, const Prediction& prediction,
                                double time_us) const {
    if (!deadline_us_) return std::nullopt;
    if (rule_ == DeadlineRule::kByMeans) {
      return time_us <= *deadline_us_ ? std::optional<double>(bar_.Of(cost)) : std::nullopt;
    }
    const double variance = TotalVarianceUs2(cost, observation_, prediction);
    const double late_us = time_us - *deadline_us_;
    // Surely late, by far fewer operations: the logarithm in LateChance is below its tangent.
    if (late_us > 0 && late_us * late_us > kFarDeviations * kFarDeviations * variance) {
      return std::nullopt;
    }
    const double chance = LateChance(*deadline_us_, time_us, variance);
    if (chance < kLeastMissChance) return bar_.Of(cost);
    if (chance > 1 - kLeastMissChance) return std::nullopt;
    return bar_.Of(cost) - kMissPenalty * chance;
  }

  // Where no plan is within max_latency_us, their times alone count.
  double PeriodUs(const PlanCost& cost, const Prediction& prediction, double time_us) const {
    if (!throughput_) return 0;
    const bool too_late = constraints_.max_latency_us &&
                          time_us + observation_.waited_us > *constraints_.max_latency_us;
    if (too_late) return std::numeric_limits<double>::infinity();
    const double alone_us = time_us - prediction.uplink_wait_us;
    const auto in_flight = static_cast<double>(constraints_.max_in_flight);
    return std::max(SlowestStageUs(cost, observation_, prediction), alone_us / in_flight);
  }

  Score ScoreOf(const PlanCost& cost, int index) const {
    const Prediction prediction = PredictInline(cost, observation_);
    Score score;
    score.index = index;
    score.bytes = cost.RequestBytes({.entropy = prediction.entropy});
    score.time_us = ComparedUs(cost, observation_, prediction);
    score.period_us = PeriodUs(cost, prediction, score.time_us);
    score.worth = WorthOf(cost, prediction, score.time_us);
    return score;
  }

  const Constraints& constraints_;
  const DeadlineRule rule_;
  const PlanTable& table_;
  const Observation& observation_;
  const AccuracyBar bar_;
  const std::optional<double> deadline_us_;
  const bool throughput_;
  const bool can_send_;
};

class DynamicPolicy : public Policy {
 public:
  DynamicPolicy(Constraints constraints, DeadlineRule rule)
      : constraints_(constraints), rule_(rule) {}

  absl::string_view name() const override {
    return rule_ == DeadlineRule::kByMeans ? "dynamic:means" : "dynamic";
  }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    const Search search(constraints_, rule_, table, observation);
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
  Reason ReasonOf(const Score& best, const PlanTable& table, const Observation& observation) const {
    if (!observation.deadline_us) {
      if (constraints_.objective == Objective::kLatency) return Reason::kFastest;
      return std::isfinite(best.period_us) ? Reason::kThroughput : Reason::kNoneInTime;
    }
    if (!best.worth) return Reason::kNoneInTime;
    return table.best_accuracy ? Reason::kMostAccurate : Reason::kFastest;
  }

  const Constraints constraints_;
  const DeadlineRule rule_;
};

}  // namespace

std::unique_ptr<Policy> MakeDynamicPolicy(Constraints constraints, DeadlineRule rule) {
  return std::make_unique<DynamicPolicy>(constraints, rule);
}

}  // namespace cleave
