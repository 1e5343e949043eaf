#include "policy/learned.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "model/plain_model.h"
#include "policy/features.h"
#include "policy/guard.h"
#include "runtime/small_model.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxFileBytes = std::int64_t{16} << 20;

// The inputs of the network, in their order.
enum Input { kState, kPlans, kValid };

std::int64_t Int(std::size_t size) { return static_cast<std::int64_t>(size); }

std::string PlanName(const Plan& plan) {
  return absl::StrCat("exit ", plan.exit, ", cut ", plan.cut, ", ", EncodingName(plan.encoding));
}

absl::StatusOr<PolicyCard> CardOf(const PlainModel& plain, const std::string& path) {
  const auto found = plain.metadata.find(kPolicyCardKey);
  if (found == plain.metadata.end()) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": metadata ", kPolicyCardKey, ": found none, expected a learned policy's card"));
  }
  return PolicyCard::FromJson(found->second, path);
}

absl::Status CheckCard(const PolicyCard& card, const std::string& model_digest,
                       const std::string& path) {
  if (card.feature_version != kFeatureVersion) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": features: found version ",
                                                      card.feature_version, ", expected ",
                                                      kFeatureVersion, " (train it anew)"));
  }
  if (card.model_digest != model_digest) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": model_digest: found ", card.model_digest, ", expected ",
                     model_digest.empty() ? "that of a model at hand" : model_digest,
                     ": the policy is for the plans of another model"));
  }
  const std::size_t features = StateFeatureNames().size();
  if (card.state_low.size() == features) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path, ": state_low: found ", card.state_low.size(),
                                                 " entries, expected ", features));
}

// Where the policy's plans are in one table.
struct Layout {
  std::vector<Plan> table;  // All plans of the table that they were looked up in.
  std::vector<std::optional<int>> rows;
  bool any_missing = false;
  bool any_local = false;

  void Set(const PlanTable& of, std::span<const Plan> plans) {
    table.clear();
    for (const PlanCost& cost : of.plans) table.push_back(cost.plan);
    rows = RowsOf(of, plans);
    any_missing = std::count(rows.begin(), rows.end(), std::nullopt) > 0;
    any_local = std::any_of(rows.begin(), rows.end(), [&of](std::optional<int> row) {
      return row && !of.plans[*row].remote();
    });
  }

  // Tables come and go, and one may lie where another lay: what counts is what is in it.
  bool Fits(const PlanTable& other, std::span<const Plan> plans) const {
    if (table.size() != other.plans.size()) return false;
    if (!any_missing) {
      for (std::size_t i = 0; i < plans.size(); ++i) {
        if (other.plans[*rows[i]].plan != plans[i]) return false;
      }
      return true;
    }
    return std::equal(table.begin(), table.end(), other.plans.begin(),
                      [](const Plan& plan, const PlanCost& cost) { return plan == cost.plan; });
  }
};

// The buffers of one decision; decisions that run at once each have their own.
class Workspace {
 public:
  explicit Workspace(std::unique_ptr<SmallModel::Lane> lane) : lane_(std::move(lane)) {}

  const Layout& LayoutFor(const PlanTable& table, std::span<const Plan> plans) {
    for (const Layout& layout : layouts_) {
      if (layout.Fits(table, plans)) return layout;
    }
    Layout& oldest = layouts_[next_++ % layouts_.size()];
    oldest.Set(table, plans);
    return oldest;
  }

  Features& features() { return features_; }

  // The valid plan with the greatest score; nothing where a score is NaN or infinite.
  std::optional<int> Best() {
    std::copy(features_.state.begin(), features_.state.end(), lane_->input(kState).begin());
    std::copy(features_.plans.begin(), features_.plans.end(), lane_->input(kPlans).begin());
    std::copy(features_.valid.begin(), features_.valid.end(), lane_->input(kValid).begin());
    if (!lane_->Run().ok()) return std::nullopt;
    const std::span<const float> scores = lane_->output(0);
    std::optional<int> best;
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (features_.valid[i] == 0) continue;
      if (!std::isfinite(scores[i])) return std::nullopt;
      if (!best || scores[i] > scores[*best]) best = static_cast<int>(i);
    }
    return best;
  }

 private:
  // A device alternates between a few batch sizes and offers.
  static constexpr std::size_t kLayouts = 4;

  std::unique_ptr<SmallModel::Lane> lane_;
  Features features_;
  std::array<Layout, kLayouts> layouts_;
  std::size_t next_ = 0;
};

class LearnedPolicy final : public Policy {
 public:
  LearnedPolicy(PolicyCard card, std::unique_ptr<SmallModel> model, const Constraints& constraints)
      : card_(std::move(card)),
        model_(std::move(model)),
        constraints_(constraints),
        search_(MakeDynamicPolicy(constraints)) {
    SetLimits();
  }

  // Makes the workspace of the first decision, and with it shows that decisions can be made at all.
  absl::Status Prepare() {
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<SmallModel::Lane> lane, model_->NewLane());
    CLEAVE_RETURN_IF_ERROR(lane->Run());
    Return(std::make_unique<Workspace>(std::move(lane)));
    return absl::OkStatus();
  }

  absl::string_view name() const override { return "learned"; }

  Decision Decide(const PlanTable& table, const Observation& observation) const override {
    std::unique_ptr<Workspace> workspace = Take();
    if (workspace == nullptr) return Searched(table, observation, *search_, Reason::kUnfamiliar);
    const Choice choice = Choose(*workspace, table, observation);
    Return(std::move(workspace));
    if (choice.index) return Guarded(table, observation, *choice.index, *search_);
    Decision searched = Searched(table, observation, *search_, Reason::kUnfamiliar);
    searched.feature = choice.unfamiliar;
    return searched;
  }

 private:
  struct Choice {
    // An index into table.plans; nothing where the exact search is to decide.
    std::optional<int> index;
    absl::string_view unfamiliar = {};  // The feature that is the reason, if one is.
  };

  void SetLimits() {
    const std::span<const float> slack = StateFeatureSlack();
    for (std::size_t i = 0; i < slack.size(); ++i) {
      const double width = double{card_.state_high[i]} - card_.state_low[i];
      const double margin = std::max<double>(slack[i], kUnfamiliarShare * width);
      least_.push_back(static_cast<float>(card_.state_low[i] - margin));
      most_.push_back(static_cast<float>(card_.state_high[i] + margin));
    }
  }

  // The first feature that lies far outside the training data; empty if there is none.
  absl::string_view Unfamiliar(const std::vector<float>& state) const {
    for (std::size_t i = 0; i < state.size(); ++i) {
      const bool within = state[i] >= least_[i] && state[i] <= most_[i];
      if (!within) return StateFeatureNames()[i];
    }
    return {};
  }

  Choice Choose(Workspace& workspace, const PlanTable& table,
                const Observation& observation) const {
    const Layout& layout = workspace.LayoutFor(table, card_.plans);
    if (!layout.any_local) return {};
    Featurize(table, layout.rows, observation, constraints_, workspace.features());
    const absl::string_view unfamiliar = Unfamiliar(workspace.features().state);
    if (!unfamiliar.empty()) return {.unfamiliar = unfamiliar};
    const std::optional<int> best = workspace.Best();
    return best ? Choice{.index = layout.rows[*best]} : Choice{};
  }

  // Null where ONNX Runtime cannot make another lane.
  std::unique_ptr<Workspace> Take() const {
    {
      const absl::MutexLock lock(&mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Workspace> workspace = std::move(idle_.back());
        idle_.pop_back();
        return workspace;
      }
    }
    absl::StatusOr<std::unique_ptr<SmallModel::Lane>> lane = model_->NewLane();
    return lane.ok() ? std::make_unique<Workspace>(*std::move(lane)) : nullptr;
  }

  void Return(std::unique_ptr<Workspace> workspace) const {
    const absl::MutexLock lock(&mutex_);
    idle_.push_back(std::move(workspace));
  }

  const PolicyCard card_;
  const std::unique_ptr<SmallModel> model_;  // Outlives the workspaces.
  const Constraints constraints_;
  const std::unique_ptr<Policy> search_;
  std::vector<float> least_, most_;
  mutable absl::Mutex mutex_;
  mutable std::vector<std::unique_ptr<Workspace>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Policy>> LoadLearnedPolicy(const std::string& path,
                                                          const std::string& model_digest,
                                                          const Constraints& constraints) {
  CLEAVE_RETURN_IF_ERROR(constraints.Validate());
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileBytes));
  CLEAVE_ASSIGN_OR_RETURN(const PlainModel plain, ReadPlainModel(bytes, path));
  CLEAVE_ASSIGN_OR_RETURN(PolicyCard card, CardOf(plain, path));
  CLEAVE_RETURN_IF_ERROR(CheckCard(card, model_digest, path));
  const std::int64_t plans = Int(card.plans.size());
  CLEAVE_ASSIGN_OR_RETURN(
      std::unique_ptr<SmallModel> model,
      SmallModel::Create(bytes, path,
                         {{"state", DataType::kFloat32, {1, Int(StateFeatureNames().size())}},
                          {"plans", DataType::kFloat32, {1, plans, Int(PlanFeatureNames().size())}},
                          {"valid", DataType::kFloat32, {1, plans}}},
                         {{"scores", DataType::kFloat32, {1, plans}}}));
  auto policy = std::make_unique<LearnedPolicy>(std::move(card), std::move(model), constraints);
  CLEAVE_RETURN_IF_ERROR(policy->Prepare());
  return policy;
}

absl::StatusOr<PolicyCard> ReadPolicyCard(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxFileBytes));
  CLEAVE_ASSIGN_OR_RETURN(const PlainModel plain, ReadPlainModel(bytes, path));
  return CardOf(plain, path);
}

absl::Status CheckPlans(const PolicyCard& card, const PlanTable& table, const std::string& origin) {
  const std::vector<std::optional<int>> rows = RowsOf(table, card.plans);
  const auto missing = std::find(rows.begin(), rows.end(), std::nullopt);
  if (missing != rows.end()) {
    return absl::FailedPreconditionError(
        absl::StrCat(origin, ": plans: found ", PlanName(card.plans[missing - rows.begin()]),
                     ", expected plans that there are (other --cuts, --encodings or --exit?)"));
  }
  const bool any_local = std::any_of(rows.begin(), rows.end(), [&table](std::optional<int> row) {
    return !table.plans[*row].remote();
  });
  if (any_local) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(origin, ": plans: found none that stays on the device, expected one at least"));
}

}  // namespace cleave
