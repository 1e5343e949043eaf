#include "learn/train_policy.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "learn/seed_training.h"
#include "policy/features.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr double kUsPerSecond = 1e6;
constexpr double kMaxSeeds = 1'000;
constexpr double kMaxSteps = 1e9;
constexpr double kMaxEpisodes = 1e6;
constexpr double kMaxThreads = 1'024;

std::string WithEnding(const std::string& path, const std::string& ending) {
  return std::filesystem::path(path).replace_extension(ending).string();
}

// All seeds of a training, some of them at once, each on one thread from beginning to end.
class Seeds {
 public:
  explicit Seeds(const TrainPolicyOptions& options)
      : options_(options),
        trainings_(options.seeds),
        states_(options.seeds),
        shares_(options.seeds) {}

  absl::Status Run() {
    const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    const int lanes = std::min(options_.threads > 0 ? options_.threads : cores, options_.seeds);
    std::vector<std::thread> threads;
    threads.reserve(static_cast<std::size_t>(lanes));
    for (int lane = 0; lane < lanes; ++lane) {
      threads.emplace_back([this, lane, lanes] {
        UseOneThread();
        for (int seed = lane; seed < options_.seeds; seed += lanes) {
          states_[static_cast<std::size_t>(seed)] = RunOne(static_cast<std::size_t>(seed));
          if (!states_[static_cast<std::size_t>(seed)].ok()) failed_.Cancel();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return FirstFault();
  }

  const std::vector<std::unique_ptr<SeedTraining>>& trainings() const { return trainings_; }

 private:
  absl::Status RunOne(std::size_t index) {
    try {
      CLEAVE_RETURN_IF_ERROR(Make(index));
      const SeedTraining::Hooks hooks = {
          [this, index](const PolicyProgress& progress) { Tell(index, progress); },
          [this] { return options_.cancel.cancelled() || failed_.cancelled(); }};
      return trainings_[index]->Run(hooks);
    } catch (const std::exception& error) {
      return absl::InternalError(absl::StrCat("LibTorch: ", error.what()));
    }
  }

  absl::Status Make(std::size_t index) {
    const absl::MutexLock lock(&mutex_);
    CLEAVE_ASSIGN_OR_RETURN(auto training, options_.training());
    CLEAVE_ASSIGN_OR_RETURN(auto evaluation, options_.evaluation());
    CLEAVE_ASSIGN_OR_RETURN(trainings_[index],
                            SeedTraining::Create(options_, options_.first_seed + index,
                                                 std::move(training), std::move(evaluation)));
    return absl::OkStatus();
  }

  void Tell(std::size_t index, PolicyProgress progress) {
    const absl::MutexLock lock(&mutex_);
    shares_[index] = progress.share;
    progress.share = 0;
    for (const double share : shares_) progress.share += share / options_.seeds;
    if (options_.on_progress) options_.on_progress(progress);
  }

  // What failed before what was stopped because of it.
  absl::Status FirstFault() const {
    absl::Status fault;
    for (const absl::Status& status : states_) {
      if (status.ok()) continue;
      if (fault.ok() || (absl::IsCancelled(fault) && !absl::IsCancelled(status))) fault = status;
    }
    return fault;
  }

  const TrainPolicyOptions& options_;
  std::vector<std::unique_ptr<SeedTraining>> trainings_;  // Each its lane's.
  std::vector<absl::Status> states_;
  const CancelToken failed_;
  absl::Mutex mutex_;
  std::vector<double> shares_ ABSL_GUARDED_BY(mutex_);
};

PolicyCard CardOf(const TrainPolicyOptions& options, const SeedTraining& seed,
                  const Environment& process) {
  PolicyCard card;
  card.feature_version = kFeatureVersion;
  card.algorithm = options.algorithm;
  card.model_digest = process.model_digest();
  card.plans = process.plans();
  card.state_low = seed.best().state_low;
  card.state_high = seed.best().state_high;
  card.seed = seed.outcome().seed;
  card.steps = seed.outcome().Best().step;
  card.environment = options.environment;
  return card;
}

// The seed's best policy.
absl::Status WritePolicy(const TrainPolicyOptions& options, const SeedTraining& seed,
                         const std::string& path) {
  const PolicyCard card = CardOf(options, seed, seed.process());
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, ScorerGraph("policy", seed.best().weights,
                                                              {{kPolicyCardKey, card.ToJson()}}));
  return WriteFileAtomically(path, file);
}

Json CurveJson(const CurvePoint& point) {
  return {{"step", point.step},
          {"reward", point.reward},
          {"oracle_reward", point.oracle_reward},
          {"random_reward", point.random_reward},
          {"score", point.Score()},
          {"temperature", point.temperature},
          {"entropy", point.entropy},
          {"critic_loss", point.critic_loss},
          {"actor_loss", point.actor_loss}};
}

std::string CurvesJson(const TrainPolicyOptions& options, const PolicyOutcome& outcome) {
  Json seeds = Json::array();
  for (const SeedOutcome& seed : outcome.seeds) {
    Json curve = Json::array();
    for (const CurvePoint& point : seed.curve) curve.push_back(CurveJson(point));
    seeds.push_back({{"seed", seed.seed},
                     {"steps", seed.steps},
                     {"stopped_early", seed.stopped_early},
                     {"best_score", seed.Best().Score()},
                     {"curve", std::move(curve)}});
  }
  const Json json = {{"version", 1},
                     {"environment", options.environment},
                     {"options", options.Describe()},
                     {"best_seed", outcome.seeds[outcome.best].seed},
                     {"seeds", std::move(seeds)}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace

double CurvePoint::Score() const {
  const double range = oracle_reward - random_reward;
  return range == 0 ? 0 : (reward - random_reward) / range;
}

const CurvePoint& SeedOutcome::Best() const {
  return *std::max_element(
      curve.begin(), curve.end(),
      [](const CurvePoint& a, const CurvePoint& b) { return a.Score() < b.Score(); });
}

const LearningOptions& TrainPolicyOptions::learning() const {
  return algorithm == Algorithm::kSacd ? sacd.learning : dqn.learning;
}

bool TrainPolicyOptions::LearnsFromTheSide() const {
  return learning().side_weight > 0 || (algorithm == Algorithm::kSacd && sacd.side_share > 0);
}

absl::Status TrainPolicyOptions::Validate() const {
  if (!training || !evaluation) {
    return FieldError("training, evaluation", "none", "factories");
  }
  CLEAVE_RETURN_IF_ERROR(algorithm == Algorithm::kSacd ? sacd.Validate() : dqn.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("seeds", seeds, 1, kMaxSeeds));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("bytes of the environments' names",
                                            static_cast<double>(environment.size()), 0,
                                            PolicyCard::kMaxEnvironmentBytes));
  CLEAVE_RETURN_IF_ERROR(
      CheckRange<double>("steps", static_cast<double>(steps), learning().warm_up + 1, kMaxSteps));
  CLEAVE_RETURN_IF_ERROR(
      CheckRange<double>("eval_every", static_cast<double>(eval_every), 1, kMaxSteps));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("eval_episodes", eval_episodes, 1, kMaxEpisodes));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("max_episode", max_episode, 1, kMaxEpisodes));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("patience", patience, 0, kMaxEpisodes));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("threads", threads, 0, kMaxThreads));
  if (std::filesystem::path(out).extension() != ".onnx") {
    return FieldError("out", out, "FILE.onnx");
  }
  return absl::OkStatus();
}

std::map<std::string, std::string> TrainPolicyOptions::Describe() const {
  std::map<std::string, std::string> fields =
      algorithm == Algorithm::kSacd ? sacd.Describe() : dqn.Describe();
  fields["algorithm"] = std::string(AlgorithmName(algorithm));
  fields["environment"] = environment;
  fields["steps"] = absl::StrCat(steps);
  fields["eval_every"] = absl::StrCat(eval_every);
  fields["eval_episodes"] = absl::StrCat(eval_episodes);
  fields["max_episode"] = absl::StrCat(max_episode);
  fields["patience"] = absl::StrCat(patience);
  fields["feature_version"] = absl::StrCat(kFeatureVersion);
  return fields;
}

std::string TrainPolicyOptions::checkpoint_folder() const {
  return checkpoints.empty() ? WithEnding(out, ".checkpoints") : checkpoints;
}
std::string TrainPolicyOptions::seed_path(std::uint64_t seed) const {
  return absl::StrCat(checkpoint_folder(), "/", AlgorithmName(algorithm), "-", seed, ".onnx");
}
std::string TrainPolicyOptions::curves_path() const { return WithEnding(out, ".curves.json"); }
std::string TrainPolicyOptions::card_path() const { return WithEnding(out, ".md"); }
std::string TrainPolicyOptions::plot_path() const { return WithEnding(out, ".svg"); }

absl::StatusOr<PolicyOutcome> TrainPolicy(const TrainPolicyOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  const std::int64_t start_us = Clock::Steady().NowUs();
  Seeds seeds(options);
  CLEAVE_RETURN_IF_ERROR(seeds.Run());
  PolicyOutcome outcome;
  for (const auto& training : seeds.trainings()) outcome.seeds.push_back(training->outcome());
  for (std::size_t i = 1; i < outcome.seeds.size(); ++i) {
    if (outcome.seeds[i].Best().Score() > outcome.seeds[outcome.best].Best().Score()) {
      outcome.best = i;
    }
  }
  for (const auto& training : seeds.trainings()) {
    CLEAVE_RETURN_IF_ERROR(
        WritePolicy(options, *training, options.seed_path(training->outcome().seed)));
  }
  const SeedTraining& best = *seeds.trainings()[outcome.best];
  outcome.card = CardOf(options, best, best.process());
  CLEAVE_RETURN_IF_ERROR(WritePolicy(options, best, options.out));
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(options.curves_path(), CurvesJson(options, outcome)));
  outcome.seconds = static_cast<double>(Clock::Steady().NowUs() - start_us) / kUsPerSecond;
  return outcome;
}

}  // namespace cleave
