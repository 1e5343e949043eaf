#include "policy/splitee.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/status_macros.h"
#include "policy/predict.h"

namespace cleave {
namespace {

absl::Status CheckPositive(absl::string_view field, double value, bool may_be_zero) {
  if (std::isfinite(value) && (value > 0 || (may_be_zero && value == 0))) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, ": found ", value, ", expected a number ",
                                                 may_be_zero ? "of at least 0" : "above 0"));
}

}  // namespace

absl::Status SplitEeOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckPositive("cost_weight", cost_weight, true));
  CLEAVE_RETURN_IF_ERROR(CheckPositive("cost_cap", cost_cap, true));
  return CheckPositive("exploration", exploration, true);
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
  if (!(play.confidence >= 0 && play.confidence <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("confidence: found ", play.confidence, ", expected a share from 0 to 1"));
  }
  CLEAVE_RETURN_IF_ERROR(CheckPositive("predicted_us", play.predicted_us, true));
  return CheckPositive("latency_us", play.latency_us, true);
}

absl::Status SplitEe::Learn(const Feedback& feedback) {
  CLEAVE_RETURN_IF_ERROR(CheckPositive("deadline_us", feedback.deadline_us, false));
  CLEAVE_RETURN_IF_ERROR(CheckPlay(feedback.taken));
  for (const Play& play : feedback.passed) CLEAVE_RETURN_IF_ERROR(CheckPlay(play));
  if (!ArmOf(feedback.taken.plan)) {
    const Plan& plan = feedback.taken.plan;
    return absl::InvalidArgumentError(absl::StrCat("plan: found exit ", plan.exit, ", cut ",
                                                   plan.cut, ", ", EncodingName(plan.encoding),
                                                   ", expected one of the plans to choose among"));
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
