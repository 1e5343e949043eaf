#include "policy/features.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <optional>
#include <tuple>

#include "policy/accuracy_bar.h"
#include "policy/predict.h"
#include "policy/spread.h"

namespace cleave {
namespace {

// The order of the numbers; kFeatureVersion changes with it.
enum StateFeature : std::size_t {
  kRtt,
  kRttSpread,
  kRttOverDeadline,
  kUpRate,
  kUpSpread,
  kDownRate,
  kDownSpread,
  kLinkAge,
  kLinkKnown,
  kLinkUp,
  kEdgeUsable,
  kTriedBytes,
  kDeviceSlowdown,
  kDeviceSpread,
  kEdgeSlowdown,
  kEdgeSpread,
  kEdgeQueue,
  kEdgeQueueOverDeadline,
  kEdgeAge,
  kDeadline,
  kHasDeadline,
  kBatch,
  kRecentCount,
  kMissShare,
  kLastError,
  kMeanError,
  kErrorSpread,
  kLastLatency,
  kLastMissed,
  kLastRemote,
  kStateFeatures
};

constexpr std::array<absl::string_view, kStateFeatures> kStateNames = {"rtt",
                                                                       "rtt_spread",
                                                                       "rtt_over_deadline",
                                                                       "up_rate",
                                                                       "up_spread",
                                                                       "down_rate",
                                                                       "down_spread",
                                                                       "link_age",
                                                                       "link_known",
                                                                       "link_up",
                                                                       "edge_usable",
                                                                       "tried_bytes",
                                                                       "device_slowdown",
                                                                       "device_spread",
                                                                       "edge_slowdown",
                                                                       "edge_spread",
                                                                       "edge_queue",
                                                                       "edge_queue_over_deadline",
                                                                       "edge_age",
                                                                       "deadline",
                                                                       "has_deadline",
                                                                       "batch",
                                                                       "recent_count",
                                                                       "miss_share",
                                                                       "last_error",
                                                                       "mean_error",
                                                                       "error_spread",
                                                                       "last_latency",
                                                                       "last_missed",
                                                                       "last_remote"};

// A flag of what happens now and then may take either value, so its slack is 1. Whether there is a
// deadline, how long it is, and the batch do not change by themselves.
constexpr std::array<float, kStateFeatures> kSlack = {1,    1,    1,    1, 1,    1, 1, 1, 1, 1,
                                                      1,    2,    0.7F, 1, 0.7F, 1, 1, 1, 1, 0.5F,
                                                      0.5F, 0.5F, 1,    1, 1,    1, 1, 1, 1, 1};

enum PlanFeature : std::size_t {
  kTimeLog,
  kTime,
  kSpread,
  kMargin,
  kMissChance,
  kFits,
  kHeadShare,
  kEncodeShare,
  kUplinkShare,
  kQueueShare,
  kTailShare,
  kDownlinkShare,
  kRemote,
  kAccuracy,
  kUntried,
  kSearched,
  kTimeOverSearched,
  kAccuracyOverSearched,
  kPlanFeatures
};

constexpr std::array<absl::string_view, kPlanFeatures> kPlanNames = {"time_log",
                                                                     "time",
                                                                     "spread",
                                                                     "margin",
                                                                     "miss_chance",
                                                                     "fits",
                                                                     "head_share",
                                                                     "encode_share",
                                                                     "uplink_share",
                                                                     "queue_share",
                                                                     "tail_share",
                                                                     "downlink_share",
                                                                     "remote",
                                                                     "accuracy",
                                                                     "untried",
                                                                     "searched",
                                                                     "time_over_searched",
                                                                     "accuracy_over_searched"};

constexpr double kLongestUs = 1e12;

// `low` where x is no number.
double Bounded(double x, double low, double high) { return x > low ? std::min(x, high) : low; }

float Share(double x) { return static_cast<float>(Bounded(x, 0, 1)); }
float Flag(bool flag) { return flag ? 1.0F : 0.0F; }

// ln(x), with x kept between e^-7 and e^7: a factor of a thousand up or down.
float LogRatio(double x) { return static_cast<float>(std::log(Bounded(x, 9e-4, 1.1e3))); }

// ln(1 + x): 0 stays 0.
float LogFromZero(double x) { return static_cast<float>(std::log1p(Bounded(x, 0, 1e8))); }

// The deviation of a positive quantity's logarithm.
float LogDeviation(const Estimate& estimate) {
  return static_cast<float>(Bounded(estimate.deviation / estimate.mean, 0, 4));
}

float Error(double log_ratio) { return static_cast<float>(Bounded(log_ratio, -4, 4)); }

double DeadlineUs(const PlanTable& table, const Observation& observation) {
  return Bounded(observation.deadline_us.value_or(table.plans.back().head_us), 1, kLongestUs);
}

void FillLink(const LinkEstimate& link, double deadline_us, std::span<float> state) {
  state[kRtt] = LogRatio(link.rtt_us.mean / 10e3);
  state[kRttSpread] = LogDeviation(link.rtt_us);
  state[kRttOverDeadline] = static_cast<float>(Bounded(link.rtt_us.mean / deadline_us, 0, 4));
  state[kUpRate] = LogRatio(link.up_bps() / 10e6);
  state[kUpSpread] = LogDeviation(link.up_us_per_byte);
  state[kDownRate] = LogRatio(link.down_bps() / 10e6);
  state[kDownSpread] = LogDeviation(link.down_us_per_byte);
  state[kLinkAge] = LogFromZero(static_cast<double>(link.age_us) / 100e3);
  state[kLinkKnown] = Flag(link.known);
  state[kLinkUp] = Flag(link.up);
  state[kTriedBytes] = LogFromZero(std::min(link.tried_bytes, 16e6) / 1e3);
}

void FillRecent(const RecentRuns& recent, double deadline_us, std::span<float> state) {
  const bool any = recent.count > 0;
  state[kRecentCount] = Share(static_cast<double>(recent.count) / RunHistory::kFull);
  state[kMissShare] = any ? Share(recent.miss_share) : 0;
  state[kLastError] = any ? Error(recent.last_log_ratio) : 0;
  state[kMeanError] = any ? Error(recent.mean_log_ratio) : 0;
  state[kErrorSpread] = any ? static_cast<float>(Bounded(recent.log_ratio_deviation, 0, 4)) : 0;
  state[kLastLatency] = any ? LogRatio(recent.last_latency_us / deadline_us) : 0;
  state[kLastMissed] = Flag(any && recent.last_missed);
  state[kLastRemote] = Flag(any && recent.last_remote);
}

void FillState(const Observation& observation, double deadline_us, std::span<float> state) {
  FillLink(observation.link, deadline_us, state);
  FillRecent(observation.recent, deadline_us, state);
  state[kEdgeUsable] = Flag(observation.edge_usable);
  state[kDeviceSlowdown] = LogRatio(observation.device_slowdown.mean);
  state[kDeviceSpread] = LogDeviation(observation.device_slowdown);
  state[kEdgeSlowdown] = LogRatio(observation.edge_slowdown.mean);
  state[kEdgeSpread] = LogDeviation(observation.edge_slowdown);
  state[kEdgeQueue] = LogFromZero(observation.edge_queue_us / 1e3);
  state[kEdgeQueueOverDeadline] =
      static_cast<float>(Bounded(observation.edge_queue_us / deadline_us, 0, 4));
  state[kEdgeAge] = LogFromZero(static_cast<double>(observation.edge_age_us) / 100e3);
  state[kDeadline] = LogRatio(deadline_us / 100e3);
  state[kHasDeadline] = Flag(observation.deadline_us.has_value());
  state[kBatch] = LogRatio(static_cast<double>(observation.batch));
}

// Fills in what the product's prediction says of each plan, and finds the plan of the list that the
// exact search would choose.
class PlanFiller {
 public:
  PlanFiller(const PlanTable& table, const Observation& observation, const Constraints& constraints,
             double deadline_us)
      : table_(table),
        observation_(observation),
        constraints_(constraints),
        bar_(constraints, table, observation),
        deadline_us_(deadline_us),
        can_send_(observation.edge_usable && observation.link.up) {}

  void Fill(std::span<const std::optional<int>> rows, Features& features) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const std::span<float> plan = BlockOf(features, i);
      features.valid[i] = 0;
      if (rows[i]) {
        FillPlan(table_.plans[*rows[i]], static_cast<int>(i), plan, features.valid[i]);
      } else {
        std::fill(plan.begin(), plan.end(), 0.0F);
      }
    }
    if (!searched_) searched_ = MostAccurateHere(rows, features);
    if (!searched_) return;
    features.valid[searched_->at] = 1;
    CompareWithSearched(rows, features);
  }

 private:
  struct Candidate {
    std::optional<double> accuracy;  // Of a plan that is in time.
    double time_us = 0;
    double bytes = 0;
    int at = 0;  // In the list of plans.

    bool Beats(const std::optional<Candidate>& other) const {
      if (!other) return true;
      if (accuracy != other->accuracy) return accuracy > other->accuracy;
      return std::tuple(time_us, bytes) < std::tuple(other->time_us, other->bytes);
    }
  };

  static std::span<float> BlockOf(Features& features, std::size_t i) {
    return std::span(features.plans).subspan(i * kPlanFeatures, kPlanFeatures);
  }

  bool Allowed(const PlanCost& cost) const {
    return (!cost.remote() || can_send_) && bar_.Passes(cost) &&
           constraints_.Allows(cost, observation_);
  }

  double Accuracy(const PlanCost& cost) const {
    return AccuracyOf(cost, table_).value_or(cost.exact ? best_accuracy_ : 0);
  }

  void FillPlan(const PlanCost& cost, int at, std::span<float> plan, float& valid) {
    const Prediction prediction = PredictInline(cost, observation_);
    const double bytes = cost.RequestBytes({.entropy = prediction.entropy});
    FillTimes(prediction, TotalDeviationUs(cost, observation_, prediction), plan);
    FillShares(prediction, plan);
    plan[kRemote] = Flag(cost.remote());
    plan[kAccuracy] = static_cast<float>(Bounded(Accuracy(cost) - best_accuracy_, -1, 1));
    plan[kUntried] = LogFromZero(bytes / std::max(observation_.link.tried_bytes, 1.0));
    if (!Allowed(cost)) return;
    valid = 1;
    const double time_us = ComparedUs(cost, observation_, prediction);
    const bool in_time = observation_.deadline_us && time_us <= *observation_.deadline_us;
    Candidate candidate{.time_us = time_us, .bytes = bytes, .at = at};
    if (in_time) candidate.accuracy = bar_.Of(cost);
    if (candidate.Beats(searched_)) searched_ = candidate;
  }

  void FillTimes(const Prediction& prediction, double deviation_us, std::span<float> plan) const {
    const double total_us = prediction.total_us();
    const double ratio = total_us / deadline_us_;
    const double spread = deviation_us / deadline_us_;
    plan[kTimeLog] = LogRatio(ratio);
    plan[kTime] = static_cast<float>(Bounded(ratio, 0, 4));
    plan[kSpread] = static_cast<float>(Bounded(spread, 0, 4));
    plan[kMargin] = static_cast<float>(Bounded((1 - ratio) / std::max(spread, 1e-3), -5, 5));
    plan[kMissChance] = static_cast<float>(ChanceAbove(deadline_us_, total_us, deviation_us));
    plan[kFits] = Flag(total_us <= deadline_us_);
  }

  static void FillShares(const Prediction& prediction, std::span<float> plan) {
    const double total_us = prediction.total_us();
    plan[kHeadShare] = Share(prediction.head_us / total_us);
    plan[kEncodeShare] = Share(prediction.encode_us / total_us);
    plan[kUplinkShare] = Share(prediction.uplink_us / total_us);
    plan[kQueueShare] = Share(prediction.queue_us / total_us);
    plan[kTailShare] = Share(prediction.tail_us / total_us);
    plan[kDownlinkShare] = Share(prediction.downlink_us / total_us);
  }

  std::optional<Candidate> MostAccurateHere(std::span<const std::optional<int>> rows,
                                            Features& features) const {
    std::optional<Candidate> best;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i] || table_.plans[*rows[i]].remote()) continue;
      const Candidate candidate{Accuracy(table_.plans[*rows[i]]), BlockOf(features, i)[kTimeLog], 0,
                                static_cast<int>(i)};
      if (candidate.Beats(best)) best = candidate;
    }
    return best;
  }

  void CompareWithSearched(std::span<const std::optional<int>> rows, Features& features) const {
    const float time_log = BlockOf(features, searched_->at)[kTimeLog];
    const float accuracy = BlockOf(features, searched_->at)[kAccuracy];
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i]) continue;
      const std::span<float> plan = BlockOf(features, i);
      plan[kSearched] = Flag(static_cast<int>(i) == searched_->at);
      plan[kTimeOverSearched] = plan[kTimeLog] - time_log;
      plan[kAccuracyOverSearched] = plan[kAccuracy] - accuracy;
    }
  }

  const PlanTable& table_;
  const Observation& observation_;
  const Constraints& constraints_;
  const AccuracyBar bar_;
  const double deadline_us_;
  const double best_accuracy_ = table_.best_accuracy.value_or(1);
  const bool can_send_;
  std::optional<Candidate> searched_;
};

}  // namespace

std::span<const absl::string_view> StateFeatureNames() { return kStateNames; }
std::span<const absl::string_view> PlanFeatureNames() { return kPlanNames; }
std::span<const float> StateFeatureSlack() { return kSlack; }

std::vector<std::optional<int>> RowsOf(const PlanTable& table, std::span<const Plan> plans) {
  const auto order = [](const Plan& plan) {
    return std::tuple(plan.exit, plan.cut, plan.encoding);
  };
  std::vector<int> by_plan(plans.size());
  std::iota(by_plan.begin(), by_plan.end(), 0);
  std::sort(by_plan.begin(), by_plan.end(),
            [&](int a, int b) { return order(plans[a]) < order(plans[b]); });
  std::vector<std::optional<int>> rows(plans.size());
  for (std::size_t row = 0; row < table.plans.size(); ++row) {
    const Plan& plan = table.plans[row].plan;
    auto at = std::lower_bound(by_plan.begin(), by_plan.end(), plan,
                               [&](int a, const Plan& b) { return order(plans[a]) < order(b); });
    for (; at != by_plan.end() && plans[*at] == plan; ++at) {
      if (!rows[*at]) rows[*at] = static_cast<int>(row);
    }
  }
  return rows;
}

void Featurize(const PlanTable& table, std::span<const std::optional<int>> rows,
               const Observation& observation, const Constraints& constraints, Features& features) {
  features.state.resize(kStateFeatures);
  features.plans.resize(rows.size() * kPlanFeatures);
  features.valid.resize(rows.size());
  const double deadline_us = DeadlineUs(table, observation);
  FillState(observation, deadline_us, features.state);
  PlanFiller(table, observation, constraints, deadline_us).Fill(rows, features);
}

}  // namespace cleave
