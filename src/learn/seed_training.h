#ifndef CLEAVE_LEARN_SEED_TRAINING_H_
#define CLEAVE_LEARN_SEED_TRAINING_H_

// Internal to src/learn: the training of one seed.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learn/agent.h"
#include "learn/checkpoint.h"
#include "learn/replay.h"
#include "learn/train_policy.h"
#include "model/scorer_graph.h"
#include "policy/environment.h"

namespace cleave {

// What is kept of a seed: its best policy, with the range of each state feature by then.
struct BestPolicy {
  ScorerWeights weights;
  std::vector<float> state_low, state_high;
};

// Thread-compatible. May throw what LibTorch throws.
class SeedTraining {
 public:
  struct Hooks {
    std::function<void(const PolicyProgress&)> tell;  // share: of this seed.
    std::function<bool()> stop;
  };

  // `options` stay alive. InvalidArgument for processes that differ in plans or model.
  static absl::StatusOr<std::unique_ptr<SeedTraining>> Create(
      const TrainPolicyOptions& options, std::uint64_t seed, std::unique_ptr<Environment> training,
      std::unique_ptr<Environment> evaluation);

  // Trains from the start or the checkpoint to the end. Cancelled once hooks.stop() holds, the
  // checkpoint being written by then.
  absl::Status Run(const Hooks& hooks);

  const SeedOutcome& outcome() const { return outcome_; }
  const BestPolicy& best() const { return best_; }  // Once Run is OK.
  const Environment& process() const { return *training_; }

 private:
  SeedTraining(const TrainPolicyOptions& options, std::uint64_t seed,
               std::unique_ptr<Environment> training, std::unique_ptr<Environment> evaluation,
               const DecisionShape& shape);

  bool EvaluationDue() const;
  bool Done() const;
  double Share() const;
  absl::Status RunEpisode();
  // Makes one decision and learns from what came of it, which it returns.
  absl::StatusOr<Environment::StepResult> Decide(std::mt19937_64& random);
  double PaidFor(const Environment::StepResult& step) const;
  // Returns what ReplayBuffer::Add takes of the decision at hand.
  std::vector<float> SideRewards(const Features& now) const;
  absl::Status Evaluate();
  absl::Status EvaluateEpisode(std::uint64_t episode, CurvePoint& sums, std::int64_t& decisions);
  void Tell(const Hooks& hooks, std::optional<CurvePoint> evaluation) const;

  std::string Path() const;
  std::map<std::string, std::string> Settings() const;
  enum class Stored {
    kOutcome,   // What a seed that is done leaves.
    kTraining,  // That, and all that training needs to go on.
  };
  absl::Status Store(Stored stored) const;
  absl::Status Restore();
  absl::Status Take(const Checkpoint& checkpoint, const std::string& origin);

  const TrainPolicyOptions& options_;
  const std::unique_ptr<Environment> training_;
  const std::unique_ptr<Environment> evaluation_;
  const DecisionShape shape_;
  const std::unique_ptr<Agent> agent_;
  ReplayBuffer replay_;
  std::uint64_t episode_ = 0;
  LearnFigures figures_;
  SeedOutcome outcome_;
  BestPolicy best_;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_SEED_TRAINING_H_
