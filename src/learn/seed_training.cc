#include "learn/seed_training.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "learn/normalizer.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxCheckpointBytes = std::int64_t{1} << 34;
constexpr double kLowShare = 0.01;
constexpr double kHighShare = 0.99;
// Held-out episodes are the same in every evaluation and for every seed.
constexpr std::uint64_t kEvaluationSeed = 0x65766131;
constexpr std::size_t kCurveWidth = 8;

// A well mixed number that differs for every pair (splitmix64's last steps).
std::uint64_t Mix(std::uint64_t seed, std::uint64_t index) {
  std::uint64_t z = (seed + 1) * 0x9E3779B97F4A7C15ULL + (index + 1) * 0xD1B54A32D192ED03ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::vector<float> Uniform(const Features& now) {
  std::vector<float> probabilities = now.valid;
  const float valid = std::accumulate(probabilities.begin(), probabilities.end(), 0.0F);
  for (float& chance : probabilities) chance /= valid;
  return probabilities;
}

std::unique_ptr<Agent> MakeAgent(const TrainPolicyOptions& options, const DecisionShape& shape,
                                 std::uint64_t seed) {
  return options.algorithm == Algorithm::kSacd ? MakeSacd(shape, options.sacd, seed)
                                               : MakeDqn(shape, options.dqn, seed);
}

// The weights and ranges of a policy, by the names that they have in a checkpoint.
std::map<std::string, std::vector<float>*> Fields(BestPolicy& best) {
  ScorerWeights& w = best.weights;
  return {{"best.state_mean", &w.state_mean},   {"best.state_scale", &w.state_scale},
          {"best.plan_mean", &w.plan_mean},     {"best.plan_scale", &w.plan_scale},
          {"best.from_state", &w.from_state},   {"best.from_plan", &w.from_plan},
          {"best.plan_bias", &w.plan_bias},     {"best.inner", &w.inner},
          {"best.inner_bias", &w.inner_bias},   {"best.output", &w.output},
          {"best.output_bias", &w.output_bias}, {"best.state_low", &best.state_low},
          {"best.state_high", &best.state_high}};
}

std::vector<double> Flat(const std::vector<CurvePoint>& curve) {
  std::vector<double> flat;
  for (const CurvePoint& point : curve) {
    flat.insert(flat.end(), {static_cast<double>(point.step), point.reward, point.oracle_reward,
                             point.random_reward, point.temperature, point.entropy,
                             point.critic_loss, point.actor_loss});
  }
  return flat;
}

std::vector<CurvePoint> Points(const std::vector<double>& flat) {
  std::vector<CurvePoint> curve;
  for (std::size_t i = 0; i + kCurveWidth <= flat.size(); i += kCurveWidth) {
    curve.push_back({static_cast<std::int64_t>(flat[i]), flat[i + 1], flat[i + 2], flat[i + 3],
                     flat[i + 4], flat[i + 5], flat[i + 6], flat[i + 7]});
  }
  return curve;
}

// The list of that name, if it is there and has the length.
absl::StatusOr<std::vector<double>> List(const Checkpoint& checkpoint, const std::string& name,
                                         std::size_t length, const std::string& origin) {
  const auto found = checkpoint.numbers.find(name);
  if (found != checkpoint.numbers.end() && found->second.size() == length) return found->second;
  return FieldError(absl::StrCat(origin, ": numbers.", name),
                    found == checkpoint.numbers.end() ? 0 : found->second.size(), length);
}

absl::Status CheckCount(const std::string& origin, const char* field, double value, double most) {
  if (value >= 0 && value <= most && value == std::floor(value)) return absl::OkStatus();
  return FieldError(absl::StrCat(origin, ": ", field), value,
                    absl::StrCat("a whole number from 0 to ", most));
}

std::string PlansText(const std::vector<Plan>& plans) {
  return absl::StrJoin(plans, " ", [](std::string* out, const Plan& plan) {
    absl::StrAppend(out, plan.exit, "/", plan.cut, "/", EncodingName(plan.encoding));
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<SeedTraining>> SeedTraining::Create(
    const TrainPolicyOptions& options, std::uint64_t seed, std::unique_ptr<Environment> training,
    std::unique_ptr<Environment> evaluation) {
  if (training->plans() != evaluation->plans() ||
      training->model_digest() != evaluation->model_digest()) {
    return absl::InvalidArgumentError(
        "the processes to learn in and to evaluate in have other plans or another model");
  }
  CLEAVE_RETURN_IF_ERROR(training->Reset(Mix(seed, 0)));
  CLEAVE_ASSIGN_OR_RETURN(const DecisionShape shape,
                          ShapeOf(training->Now(), training->plans().size()));
  return std::unique_ptr<SeedTraining>(
      new SeedTraining(options, seed, std::move(training), std::move(evaluation), shape));
}

SeedTraining::SeedTraining(const TrainPolicyOptions& options, std::uint64_t seed,
                           std::unique_ptr<Environment> training,
                           std::unique_ptr<Environment> evaluation, const DecisionShape& shape)
    : options_(options),
      training_(std::move(training)),
      evaluation_(std::move(evaluation)),
      shape_(shape),
      agent_(MakeAgent(options, shape, seed)),
      replay_(shape, static_cast<std::size_t>(options.learning().capacity)) {
  outcome_.seed = seed;
}

bool SeedTraining::EvaluationDue() const {
  const std::int64_t last = outcome_.curve.empty() ? 0 : outcome_.curve.back().step;
  // What nothing was learned from yet is no policy, however lucky its weights are.
  return outcome_.steps > std::max<std::int64_t>(last, options_.learning().warm_up) &&
         (outcome_.steps >= options_.steps ||
          outcome_.steps / options_.eval_every > last / options_.eval_every);
}

bool SeedTraining::Done() const {
  return outcome_.stopped_early || outcome_.steps >= options_.steps;
}

double SeedTraining::Share() const {
  return std::min(1.0, static_cast<double>(outcome_.steps) / static_cast<double>(options_.steps));
}

absl::Status SeedTraining::Run(const Hooks& hooks) {
  if (options_.resume) CLEAVE_RETURN_IF_ERROR(Restore());
  for (;;) {
    if (Done() && !EvaluationDue()) break;
    if (hooks.stop()) {
      CLEAVE_RETURN_IF_ERROR(Store(Stored::kTraining));
      return absl::CancelledError(absl::StrCat("seed ", outcome_.seed, ": stopped after ",
                                               outcome_.steps,
                                               " decisions; --resume goes on from there"));
    }
    if (EvaluationDue()) {
      CLEAVE_RETURN_IF_ERROR(Evaluate());
      CLEAVE_RETURN_IF_ERROR(Store(Done() ? Stored::kOutcome : Stored::kTraining));
      Tell(hooks, outcome_.curve.back());
    } else {
      CLEAVE_RETURN_IF_ERROR(RunEpisode());
      Tell(hooks, {});
    }
  }
  return absl::OkStatus();
}

absl::Status SeedTraining::RunEpisode() {
  // All that is random in an episode comes from its number, so that a checkpoint between episodes
  // has no generator to keep.
  std::mt19937_64 random(Mix(outcome_.seed, 2 * episode_ + 1));
  CLEAVE_RETURN_IF_ERROR(training_->Reset(Mix(outcome_.seed, 2 * episode_)));
  bool truncated = false;
  for (int i = 0; i < options_.max_episode && !truncated; ++i) {
    CLEAVE_ASSIGN_OR_RETURN(const Environment::StepResult step, Decide(random));
    truncated = step.truncated;
  }
  CLEAVE_RETURN_IF_ERROR(CheckFeatures(training_->Now(), shape_));
  replay_.AddLast(training_->Now());
  ++episode_;
  return absl::OkStatus();
}

absl::StatusOr<Environment::StepResult> SeedTraining::Decide(std::mt19937_64& random) {
  const LearningOptions& learning = options_.learning();
  CLEAVE_RETURN_IF_ERROR(CheckFeatures(training_->Now(), shape_));
  const Features now = training_->Now();
  const std::vector<float> probabilities =
      outcome_.steps < learning.warm_up ? Uniform(now) : agent_->Probabilities(now);
  const int action = DrawPlan(probabilities, random);
  if (action < 0) return absl::InternalError("training: the actor's probabilities are not numbers");
  const std::vector<float> side = SideRewards(now);
  CLEAVE_ASSIGN_OR_RETURN(const Environment::StepResult step, training_->Step(action));
  if (!std::isfinite(step.reward)) {
    return FieldError("training: reward", step.reward, "a finite one");
  }
  replay_.Add(now, action, PaidFor(step), EntropyOf(probabilities), side);
  ++outcome_.steps;
  if (outcome_.steps == learning.warm_up) agent_->Normalize(replay_);
  if (outcome_.steps > learning.warm_up && outcome_.steps % learning.decisions_per_update == 0) {
    figures_ = agent_->Learn(replay_, random, Share());
    if (!std::isfinite(figures_.critic_loss) || !std::isfinite(figures_.actor_loss)) {
      return absl::InternalError(absl::StrCat("training: seed ", outcome_.seed, ": after ",
                                              outcome_.steps, " decisions the loss is no number"));
    }
  }
  return step;
}

double SeedTraining::PaidFor(const Environment::StepResult& step) const {
  return step.reward - (step.overruled ? options_.learning().overruled_cost : 0);
}

std::vector<float> SeedTraining::SideRewards(const Features& now) const {
  if (!options_.LearnsFromTheSide()) return {};
  const std::vector<Environment::StepResult> steps = training_->Alternatives();
  std::vector<float> rewards;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    rewards.push_back(now.valid[i] > 0 ? static_cast<float>(PaidFor(steps[i]))
                                       : std::numeric_limits<float>::quiet_NaN());
  }
  return rewards;
}

absl::Status SeedTraining::Evaluate() {
  CurvePoint point;
  std::int64_t decisions = 0;
  for (int i = 0; i < options_.eval_episodes; ++i) {
    CLEAVE_RETURN_IF_ERROR(EvaluateEpisode(static_cast<std::uint64_t>(i), point, decisions));
  }
  const auto count = static_cast<double>(decisions);
  point.step = outcome_.steps;
  point.reward /= count;
  point.oracle_reward /= count;
  point.random_reward /= count;
  point.temperature = figures_.temperature;
  point.entropy = figures_.entropy;
  point.critic_loss = figures_.critic_loss;
  point.actor_loss = figures_.actor_loss;
  outcome_.curve.push_back(point);
  const CurvePoint& best = outcome_.Best();
  if (best.step == point.step) {
    best_ = {agent_->Weights(), StateQuantile(replay_, kLowShare),
             StateQuantile(replay_, kHighShare)};
  }
  const auto since = std::count_if(outcome_.curve.begin(), outcome_.curve.end(),
                                   [&](const CurvePoint& at) { return at.step > best.step; });
  outcome_.stopped_early =
      options_.patience > 0 && since >= options_.patience && outcome_.steps < options_.steps;
  return absl::OkStatus();
}

absl::Status SeedTraining::EvaluateEpisode(std::uint64_t episode, CurvePoint& sums,
                                           std::int64_t& decisions) {
  CLEAVE_RETURN_IF_ERROR(evaluation_->Reset(Mix(kEvaluationSeed, episode)));
  bool truncated = false;
  for (int i = 0; i < options_.max_episode && !truncated; ++i) {
    CLEAVE_RETURN_IF_ERROR(CheckFeatures(evaluation_->Now(), shape_));
    const int action = BestValid(agent_->Scores(evaluation_->Now()), evaluation_->Now());
    sums.oracle_reward += evaluation_->OracleReward();
    sums.random_reward += evaluation_->RandomReward();
    CLEAVE_ASSIGN_OR_RETURN(const Environment::StepResult step, evaluation_->Step(action));
    if (!std::isfinite(step.reward)) {
      return FieldError("evaluation: reward", step.reward, "a finite one");
    }
    sums.reward += step.reward;
    ++decisions;
    truncated = step.truncated;
  }
  return absl::OkStatus();
}

void SeedTraining::Tell(const Hooks& hooks, std::optional<CurvePoint> evaluation) const {
  PolicyProgress progress;
  progress.seed = outcome_.seed;
  progress.step = outcome_.steps;
  progress.share = outcome_.stopped_early ? 1 : Share();
  progress.best_score = outcome_.curve.empty() ? 0 : outcome_.Best().Score();
  progress.evaluation = evaluation;
  hooks.tell(progress);
}

std::string SeedTraining::Path() const {
  return absl::StrCat(options_.checkpoint_folder(), "/", AlgorithmName(options_.algorithm), "-",
                      outcome_.seed, ".checkpoint");
}

std::map<std::string, std::string> SeedTraining::Settings() const {
  std::map<std::string, std::string> settings = options_.Describe();
  settings["seed"] = absl::StrCat(outcome_.seed);
  settings["model"] = training_->model_digest();
  settings["plans"] = PlansText(training_->plans());
  settings["shape"] = absl::StrCat(shape_.state, "+", shape_.plans, "x", shape_.plan);
  return settings;
}

absl::Status SeedTraining::Store(Stored stored) const {
  Checkpoint checkpoint;
  checkpoint.settings = Settings();
  checkpoint.numbers["curve"] = Flat(outcome_.curve);
  checkpoint.numbers["progress"] = {static_cast<double>(outcome_.steps),
                                    static_cast<double>(episode_),
                                    outcome_.stopped_early ? 1.0 : 0.0};
  checkpoint.numbers["figures"] = {figures_.temperature, figures_.entropy, figures_.critic_loss,
                                   figures_.actor_loss};
  if (stored == Stored::kTraining) {
    CLEAVE_ASSIGN_OR_RETURN(checkpoint.tensors, agent_->State());
    CLEAVE_ASSIGN_OR_RETURN(auto seen, replay_.State());
    checkpoint.tensors.merge(seen);
  }
  if (!outcome_.curve.empty()) {
    BestPolicy best = best_;
    for (const auto& [name, values] : Fields(best)) {
      CLEAVE_ASSIGN_OR_RETURN(
          checkpoint.tensors[name],
          Tensor::FromFloats({static_cast<std::int64_t>(values->size())}, *values));
    }
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string bytes, checkpoint.Serialize());
  return WriteFileAtomically(Path(), bytes);
}

absl::Status SeedTraining::Restore() {
  const absl::StatusOr<std::string> bytes = ReadFile(Path(), kMaxCheckpointBytes);
  if (absl::IsNotFound(bytes.status())) return absl::OkStatus();
  CLEAVE_RETURN_IF_ERROR(bytes.status());
  CLEAVE_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Checkpoint::Parse(*bytes, Path()));
  CLEAVE_RETURN_IF_ERROR(checkpoint.CheckSettings(Settings(), Path()));
  return Take(checkpoint, Path());
}

absl::Status SeedTraining::Take(const Checkpoint& checkpoint, const std::string& origin) {
  constexpr double kMost = 1e12;
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<double> progress,
                          List(checkpoint, "progress", 3, origin));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<double> figures,
                          List(checkpoint, "figures", 4, origin));
  CLEAVE_RETURN_IF_ERROR(CheckCount(origin, "numbers.progress: steps", progress[0], kMost));
  CLEAVE_RETURN_IF_ERROR(CheckCount(origin, "numbers.progress: episodes", progress[1], kMost));
  CLEAVE_RETURN_IF_ERROR(CheckCount(origin, "numbers.progress: stopped early", progress[2], 1));
  const auto curve = checkpoint.numbers.find("curve");
  if (curve == checkpoint.numbers.end() || curve->second.size() % kCurveWidth != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": numbers.curve: expected rows of ", kCurveWidth));
  }
  std::vector<CurvePoint> points = Points(curve->second);
  for (std::size_t i = 0; i < points.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(
        CheckCount(origin, "numbers.curve: step", curve->second[i * kCurveWidth], progress[0]));
  }
  BestPolicy best;
  if (!points.empty()) {
    best = {agent_->Weights(), std::vector<float>(shape_.state), std::vector<float>(shape_.state)};
    for (const auto& [name, values] : Fields(best)) {
      CLEAVE_ASSIGN_OR_RETURN(
          const std::span<const float> floats,
          FloatsOf(checkpoint.tensors, name, {static_cast<std::int64_t>(values->size())}, origin));
      values->assign(floats.begin(), floats.end());
    }
  }
  const auto steps = static_cast<std::int64_t>(progress[0]);
  const bool stopped_early = progress[2] == 1;
  const bool done =
      !points.empty() && points.back().step == steps && (stopped_early || steps >= options_.steps);
  if (!done) {
    CLEAVE_RETURN_IF_ERROR(replay_.Restore(checkpoint.tensors, origin));
    CLEAVE_RETURN_IF_ERROR(agent_->Restore(checkpoint.tensors, origin));
  }
  outcome_.steps = steps;
  outcome_.stopped_early = stopped_early;
  outcome_.curve = std::move(points);
  episode_ = static_cast<std::uint64_t>(progress[1]);
  figures_ = {figures[0], figures[1], figures[2], figures[3]};
  best_ = std::move(best);
  return absl::OkStatus();
}

}  // namespace cleave
