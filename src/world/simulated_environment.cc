#include "world/simulated_environment.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "device/observe.h"
#include "device/timeout.h"
#include "policy/guard.h"
#include "policy/predict.h"
#include "policy/recent_runs.h"
#include "world/jitter.h"

namespace cleave::world {
namespace {

constexpr std::uint64_t kEpisodeStream = 30;
constexpr double kLongestGreetingUs = 5e6;
constexpr double kGreetingStepUs = 50'000;
constexpr double kUpToMbps = 8e6;
constexpr double kFarDeviations = 3;

std::vector<Plan> PlansAt(const PlanTable& table, const std::vector<int>& rows) {
  std::vector<Plan> plans;
  plans.reserve(rows.size());
  for (const int row : rows) plans.push_back(table.plans[static_cast<std::size_t>(row)].plan);
  return plans;
}

bool Overruled(const Decision& decision, const SimulatedEnvironment::Result& result) {
  return decision.reason == Reason::kGuarded || result.skipped;
}

std::int64_t LargestReply(const PlanTable& table) {
  double bytes = 0;
  for (const PlanCost& cost : table.plans) bytes = std::max(bytes, cost.bytes_down);
  return std::llround(bytes);
}

absl::Status CheckTable(const PlanTable& table) {
  if (table.plans.empty()) {
    return FieldError("plan table", "no plan", "at least one");
  }
  for (const PlanCost& cost : table.plans) {
    if (cost.remote() || AccuracyOf(cost, table)) continue;
    return FieldError(absl::StrCat("plan table: exit ", cost.plan.exit), "no accuracy",
                      "a calibrated model (cleave calibrate)");
  }
  return absl::OkStatus();
}

}  // namespace

// What one episode is made of.
struct SimulatedEnvironment::Episode {
  Episode(const EnvironmentOptions& options, const PlanTable& table, std::uint64_t seed)
      : world(options.world, seed), edge(world, seed, LargestReply(table)) {}

  World world;
  SimulatedEdge edge;
  SlowdownTracker slowdown;
  RunHistory history;
};

absl::Status EnvironmentOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("episode.inferences", inferences, 1, 1e6));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("episode.interval_us", interval_us, 0, 1e9));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("episode.pause_us", pause_us, 0, 1e9));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("episode.deadline_low_us", deadline_low_us, 100, 1e9));
  CLEAVE_RETURN_IF_ERROR(
      CheckRange<double>("episode.deadline_high_us", deadline_high_us, deadline_low_us, 1e9));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("episode.remote_timeout_us",
                                            static_cast<double>(remote_timeout_us), 1e3, 1e8));
  CLEAVE_RETURN_IF_ERROR(constraints.Validate());
  CLEAVE_RETURN_IF_ERROR(reward.Validate());
  return world.Validate();
}

SimulatedEnvironment::SimulatedEnvironment(std::shared_ptr<const PlanTable> table,
                                           std::string model_digest, EnvironmentOptions options)
    : table_(std::move(table)),
      model_digest_(std::move(model_digest)),
      options_(std::move(options)),
      rows_(ChoosableRows(*table_)),
      feature_rows_(rows_.begin(), rows_.end()),
      search_(MakeDynamicPolicy(options_.constraints)),
      plans_(PlansAt(*table_, rows_)) {}

SimulatedEnvironment::~SimulatedEnvironment() = default;

absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> SimulatedEnvironment::Create(
    std::shared_ptr<const PlanTable> table, std::string model_digest, EnvironmentOptions options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckTable(*table));
  return std::unique_ptr<SimulatedEnvironment>(
      new SimulatedEnvironment(std::move(table), std::move(model_digest), std::move(options)));
}

absl::StatusOr<std::unique_ptr<SimulatedEnvironment>> SimulatedEnvironment::With(
    EnvironmentOptions options) const {
  return Create(table_, model_digest_, std::move(options));
}

absl::Status SimulatedEnvironment::Reset(std::uint64_t seed) {
  const double share = Chance(seed, kEpisodeStream).Uniform(0);
  deadline_us_ = options_.deadline_low_us *
                 std::pow(options_.deadline_high_us / options_.deadline_low_us, share);
  episode_ = std::make_unique<Episode>(options_, *table_, seed);
  inference_ = 0;
  now_us_ = 0;
  const double warm_us = table_->plans.back().head_us;
  const double warm_end_us = episode_->world.device.FinishUs(0, warm_us, Jitter::kDrawn);
  episode_->slowdown.Add(warm_us, warm_end_us, 0);
  while (now_us_ < kLongestGreetingUs && !episode_->edge.connected()) {
    now_us_ += kGreetingStepUs;
    episode_->edge.AdvanceTo(now_us_, SimulatedEdge::Traffic::kNone);
  }
  Observe();
  return absl::OkStatus();
}

void SimulatedEnvironment::Observe() {
  episode_->edge.AdvanceTo(now_us_, SimulatedEdge::Traffic::kNone);
  OwnState own;
  own.batch = table_->batch;
  own.slowdown = {episode_->slowdown.factor(), episode_->slowdown.deviation()};
  if (options_.deadline_known) own.deadline_us = deadline_us_;
  own.recent = episode_->history.Get();
  observation_ = cleave::Observe(own, episode_->edge.View(now_us_));
  Featurize(*table_, feature_rows_, observation_, options_.constraints, features_);
}

bool SimulatedEnvironment::EntropyOf(int row) const {
  return EntropyPays(table_->plans[static_cast<std::size_t>(row)], observation_);
}

const PlanCost& SimulatedEnvironment::LocalRow(int exit) const {
  for (const PlanCost& cost : table_->plans) {
    if (!cost.remote() && cost.plan.exit == exit) return cost;
  }
  return table_->plans.back();
}

SimulatedEnvironment::Result SimulatedEnvironment::Try(const Trial& trial) const {
  const PlanCost& chosen = table_->plans[static_cast<std::size_t>(trial.choice.row)];
  const PlanCost& local = LocalRow(chosen.plan.exit);
  WaitTerms terms = WaitTermsOf(chosen, observation_);
  terms.remote_timeout_us = options_.remote_timeout_us;
  terms.remaining_us = observation_.deadline_us;
  Result result;
  result.plan = chosen.plan;
  result.entropy = trial.choice.entropy && chosen.entropy_bytes_up > 0;
  result.predicted_us = PredictForm(chosen, observation_, {.entropy = result.entropy}).total_us();
  result.skipped = chosen.remote() && (!observation_.edge_usable ||
                                       TooLateBudgetUs(terms, chosen, observation_).has_value());
  const PlanCost& cost = result.skipped ? local : chosen;
  const WaitRule wait = [&](double head_end_us) {
    if (options_.deadline_known) terms.remaining_us = deadline_us_ - (head_end_us - now_us_);
    return RemoteTimeoutUs(terms);
  };
  const RunStart start{.now_us = now_us_,
                       .entropy = result.entropy,
                       .up_free_us = episode_->edge.up_free_us(),
                       .down_free_us = episode_->edge.down_free_us(),
                       .jitter = trial.jitter,
                       .device_factor = trial.device_factor};
  result.run = RunPlan(cost, start, wait, episode_->world);
  const PlanRun& run = result.run;
  result.fell_back = cost.remote() && !run.answered;
  if (run.answered) result.where = cost.plan.cut == 0 ? Where::kEdge : Where::kSplit;
  if (run.sent) result.bytes_up = cost.RequestBytes({.entropy = result.entropy});
  if (run.answered) result.bytes_down = cost.bytes_down;
  result.outcome.accuracy = AccuracyOf(run.answered ? cost : local, *table_).value_or(0);
  result.outcome.latency_us = run.end_us - now_us_;
  result.outcome.deadline_us = deadline_us_;
  result.outcome.device_us = run.DeviceUs();
  result.outcome.radio_us = run.answered ? run.uplink_us + run.downlink_us : run.wasted_us;
  result.reward = Reward(result.outcome, options_.reward);
  return result;
}

SimulatedEnvironment::Result SimulatedEnvironment::Expected(const RowChoice& choice) const {
  return Try({.choice = choice});
}

double SimulatedEnvironment::MeanReward(int row, const Result& median) const {
  const double deviation = options_.world.device.run_jitter;
  // Jitter carries it across the deadline hardly ever.
  const double distance = std::log(deadline_us_ / median.outcome.latency_us);
  if (std::abs(distance) > kFarDeviations * deviation) return median.reward;
  return MeanOverJitter(deviation, [&](double factor) {
    return Try({.choice = {.row = row, .entropy = median.entropy}, .device_factor = factor}).reward;
  });
}

void SimulatedEnvironment::Learn(const PlanCost& cost, const Result& result) {
  const PlanRun& run = result.run;
  const auto us = [](double time_us) { return static_cast<std::int64_t>(std::llround(time_us)); };
  episode_->slowdown.Add(cost.head_us, run.head_us, us(now_us_ + run.head_us));
  if (result.fell_back) {
    episode_->slowdown.Add(cost.tail_on_device_us, run.tail_us, us(run.end_us));
  }
  episode_->history.Add({.predicted_us = result.predicted_us,
                         .latency_us = result.outcome.latency_us,
                         .missed = result.outcome.missed(),
                         .remote = cost.remote()});
}

absl::StatusOr<SimulatedEnvironment::Result> SimulatedEnvironment::Run(const RowChoice& choice) {
  if (episode_ == nullptr || inference_ >= options_.inferences) {
    return absl::FailedPreconditionError(absl::StrCat("environment: inference ", inference_, " of ",
                                                      options_.inferences,
                                                      ": expected Reset before it"));
  }
  const PlanCost& chosen = table_->plans[static_cast<std::size_t>(choice.row)];
  if (!AccuracyOf(chosen, *table_)) {
    return FieldError(absl::StrCat("row ", choice.row), "no accuracy", "a calibrated plan");
  }
  // Probes that leave before the request hold it up; when it leaves does not depend on them.
  const Trial drawn{.choice = choice, .jitter = Jitter::kDrawn};
  Result result = Try(drawn);
  const PlanCost& cost = result.skipped ? LocalRow(chosen.plan.exit) : chosen;
  if (result.run.sent) {
    episode_->edge.AdvanceTo(result.run.sent_us, SimulatedEdge::Traffic::kNone);
    result = Try(drawn);
    episode_->edge.AdvanceTo(result.run.answered_us, SimulatedEdge::Traffic::kRequest);
    episode_->edge.Report(cost, result.run,
                          PredictForm(cost, observation_, {.entropy = result.entropy}));
  }
  Learn(cost, result);
  const double next_us = result.run.end_us + options_.pause_us;
  now_us_ = std::max(next_us, options_.interval_us > 0 ? now_us_ + options_.interval_us : 0);
  result.truncated = ++inference_ >= options_.inferences;
  Observe();
  return result;
}

absl::StatusOr<Environment::StepResult> SimulatedEnvironment::Step(int action) {
  const int row = rows_[static_cast<std::size_t>(action)];
  const Decision decision = Guarded(*table_, observation_, row, *search_);
  CLEAVE_ASSIGN_OR_RETURN(const Result result,
                          Run({.row = decision.index, .entropy = decision.entropy}));
  return StepResult{result.reward, result.truncated, Overruled(decision, result)};
}

std::vector<Environment::StepResult> SimulatedEnvironment::Alternatives() const {
  const bool last = inference_ + 1 >= options_.inferences;
  const Decision searched = Searched(*table_, observation_, *search_, Reason::kGuarded);
  std::optional<StepResult> guarded;  // All plans that the guard turns down come to the same.
  std::vector<StepResult> steps(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (features_.valid[i] <= 0) continue;
    const Decision decision = Guarded(*table_, observation_, rows_[i], searched);
    const bool turned_down = decision.reason == Reason::kGuarded;
    if (turned_down && guarded) {
      steps[i] = *guarded;
      continue;
    }
    const Result median = Expected({.row = decision.index, .entropy = decision.entropy});
    steps[i] = {MeanReward(decision.index, median), last, Overruled(decision, median)};
    if (turned_down) guarded = steps[i];
  }
  return steps;
}

SimulatedEnvironment::Choice SimulatedEnvironment::OracleChoice() const {
  Choice best{.row = rows_.back(), .reward = -kNever, .skipped = true};
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (features_.valid[i] <= 0) continue;
    const Result median = Expected(rows_[i]);
    const double reward = MeanReward(rows_[i], median);
    // What is not sent is the plan on the device, which has a row of its own.
    const bool really = reward == best.reward && best.skipped && !median.skipped;
    if (reward > best.reward || really) best = {rows_[i], reward, median.skipped};
  }
  return best;
}

double SimulatedEnvironment::RandomReward() const {
  double sum = 0;
  int count = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (features_.valid[i] <= 0) continue;
    sum += Expected(rows_[i]).reward;
    ++count;
  }
  return count > 0 ? sum / count : 0;
}

SimulatedEnvironment::Truth SimulatedEnvironment::TruthNow(double window_us) const {
  World& world = episode_->world;
  Truth truth;
  truth.up_bps = kUpToMbps * world.link.up().MeanRate(now_us_, window_us);
  truth.down_bps = kUpToMbps * world.link.down().MeanRate(now_us_, window_us);
  truth.rtt_us = world.link.RttUs(now_us_, Jitter::kMedian);
  truth.device_slowdown = world.device.SlowdownAt(now_us_);
  truth.edge_slowdown = world.edge.SlowdownAt(now_us_);
  truth.queue_us = world.queue.WaitUs(now_us_);
  return truth;
}

}  // namespace cleave::world
