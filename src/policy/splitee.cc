#include "policy/splitee.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "policy/predict.h"

namespace cleave {

absl::Status SplitEeOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("cost_weight", cost_weight));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("cost_cap", cost_cap));
  return CheckNotNegative("exploration", exploration);
}

SplitEe::SplitEe(std::vector<Plan> plans, const Constraints& constraints,
                 const SplitEeOptions& options)
    : plans_(std::move(plans)),
      constraints_(constraints),
      options_(options),
      arms_(plans_.size()) {}

double SplitEe::CostScaleUs(const PlanTable& table, const Observation& observation) {
  return std::max(1.0, observation.deadline_us.value_or(table.plans.back().head_us));
}

double SplitEe::Cost(double time_us, double scale_us) const {
  return options_.cost_weight * std::min(time_us / scale_us, options_.cost_cap);
}

double SplitEe::BoundOf(const Arm& arm) const {
  const double rounds = static_cast<double>(std::max<std::int64_t>(rounds_, 1));
  return arm.mean +
         options_.exploration * std::sqrt(std::log(rounds) / static_cast<double>(arm.seen));
}

Decision SplitEe::Choose(const PlanTable& table, const Observation& observation) {
  const std::vector<std::optional<int>> rows = RowsOf(table, plans_);
  Featurize(table, rows, observation, constraints_, features_);
  const double scale_us = CostScaleUs(table, observation);
  int best = static_cast<int>(table.plans.size()) - 1;
  double highest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (features_.valid[i] == 0) continue;
    if (arms_[i].seen == 0) {
      best = *rows[i];
      break;
    }
    const double predicted_us = Predict(table.plans[*rows[i]], observation).total_us();
    const double bound = BoundOf(arms_[i]) - Cost(predicted_us, scale_us);
    if (bound > highest) {
      highest = bound;
      best = *rows[i];
    }
  }
  const Prediction prediction = Predict(table.plans[best], observation);
  const bool can_send = observation.edge_usable && observation.link.up;
  return {best, prediction.total_us(), can_send ? Reason::kLearned : Reason::kEdgeUnusable,
          prediction.entropy};
}

absl::Status SplitEe::CheckPlay(const Play& play) const {
  CLEAVE_RETURN_IF_ERROR(CheckShare("confidence", play.confidence));
  CLEAVE_RETURN_IF_ERROR(CheckNotNegative("predicted_us", play.predicted_us));
  return CheckNotNegative("latency_us", play.latency_us);
}

absl::Status SplitEe::Learn(const Feedback& feedback) {
  if (!(feedback.deadline_us > 0 && std::isfinite(feedback.deadline_us))) {
    return FieldError("deadline_us", feedback.deadline_us, "a number above 0");
  }
  CLEAVE_RETURN_IF_ERROR(CheckPlay(feedback.taken));
  for (const Play& play : feedback.passed) CLEAVE_RETURN_IF_ERROR(CheckPlay(play));
  if (!ArmOf(feedback.taken.plan)) {
    const Plan& plan = feedback.taken.plan;
    return FieldError(
        "plan",
        absl::StrCat("exit ", plan.exit, ", cut ", plan.cut, ", ", EncodingName(plan.encoding)),
        "one of the plans to choose among");
  }
  ++rounds_;
  Add(feedback.taken, feedback.deadline_us);
  for (const Play& play : feedback.passed) Add(play, feedback.deadline_us);
  return absl::OkStatus();
}

void SplitEe::Add(const Play& play, double scale_us) {
  const std::optional<int> at = ArmOf(play.plan);
  if (!at) return;
  Arm& arm = arms_[*at];
  const double reward =
      play.confidence - Cost(play.latency_us, scale_us) + Cost(play.predicted_us, scale_us);
  ++arm.seen;
  arm.mean += (reward - arm.mean) / static_cast<double>(arm.seen);
}

std::optional<int> SplitEe::ArmOf(const Plan& plan) const {
  const auto found = std::find(plans_.begin(), plans_.end(), plan);
  if (found == plans_.end()) return std::nullopt;
  return static_cast<int>(found - plans_.begin());
}

std::int64_t SplitEe::SeenOf(const Plan& plan) const {
  const std::optional<int> at = ArmOf(plan);
  return at ? arms_[*at].seen : 0;
}

}  // namespace cleave
