#ifndef CLEAVE_LEARN_TRAIN_POLICY_H_
#define CLEAVE_LEARN_TRAIN_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "learn/dqn.h"
#include "learn/sacd.h"
#include "policy/algorithm.h"
#include "policy/environment.h"
#include "policy/policy_card.h"

namespace cleave {

// One evaluation: means over the decisions of the greedy policy in episodes of other courses than
// those learned in.
struct CurvePoint {
  std::int64_t step = 0;  // Decisions learned from by then.
  double reward = 0;
  double oracle_reward = 0;
  double random_reward = 0;
  double temperature = 0;  // As LearnFigures has them, of the last update.
  double entropy = 0;
  double critic_loss = 0;
  double actor_loss = 0;

  // Returns 0 for as good as random, and 1 for as good as the oracle; 0 where these are equal.
  double Score() const;
};

struct PolicyProgress {
  std::uint64_t seed = 0;
  std::int64_t step = 0;
  // How much of all seeds' decisions is done; those of a seed that stopped early count.
  double share = 0;
  double best_score = 0;                 // That of this seed; 0 before its first evaluation.
  std::optional<CurvePoint> evaluation;  // Set when one has just been made.
};

// What one seed gave.
struct SeedOutcome {
  std::uint64_t seed = 0;
  std::int64_t steps = 0;
  bool stopped_early = false;
  std::vector<CurvePoint> curve;  // Not empty.

  const CurvePoint& Best() const;  // The first of the highest score: what is kept of the seed.
};

using ProcessFactory = std::function<absl::StatusOr<std::unique_ptr<Environment>>()>;

// How to train a policy. The same options and processes give the same file, bit for bit, on the
// same kind of processor, whatever the threads.
struct TrainPolicyOptions {
  // What is learned in, and what the best policy is chosen in, by other courses. Called by one
  // thread at a time, once for each seed; what they give runs on one thread.
  ProcessFactory training;
  ProcessFactory evaluation;
  std::string environment;  // Its name, for the card.

  Algorithm algorithm = Algorithm::kSacd;
  SacdOptions sacd;
  DqnOptions dqn;
  int seeds = 5;
  std::uint64_t first_seed = 1;
  std::int64_t steps = 48'000;  // Decisions of each seed; its last episode is finished.
  // Decisions between evaluations, which are between episodes and come after the warm-up.
  std::int64_t eval_every = 4'000;
  int eval_episodes = 12;
  int max_episode = 4'096;  // Decisions after which an episode is cut off here.
  // A seed stops when its score has not risen for so many evaluations; 0: never.
  int patience = 6;

  std::string out = "policy.onnx";
  std::string checkpoints;  // Folder; empty: beside `out`, its name with ".checkpoints".
  bool resume = false;      // Go on from there; from the start where there is nothing.
  int threads = 0;          // Seeds that are trained at once; 0: one for each core.
  // Called by one thread at a time, after every episode and evaluation.
  std::function<void(const PolicyProgress&)> on_progress;
  CancelToken cancel;

  // InvalidArgument names the field.
  absl::Status Validate() const;
  const LearningOptions& learning() const;
  // Returns whether critics or actor see what other plans than the one taken would have earned.
  bool LearnsFromTheSide() const;
  // Returns everything that decides what is learned, by name.
  std::map<std::string, std::string> Describe() const;
  std::string checkpoint_folder() const;
  // Returns where that seed's policy lies, beside its checkpoint.
  std::string seed_path(std::uint64_t seed) const;
  std::string curves_path() const;  // Beside `out`, as the two below.
  std::string card_path() const;
  std::string plot_path() const;
};

struct PolicyOutcome {
  std::vector<SeedOutcome> seeds;
  std::size_t best = 0;  // The seed whose policy was written.
  PolicyCard card;
  double seconds = 0;
};

// Trains every seed, with a checkpoint after every evaluation, and writes the best one's best
// policy to `out`, each one's to its seed_path() and the curves of all to curves_path(). Cancelled
// after the episode that is under way, with a checkpoint that --resume goes on from as if nothing
// had happened. Other errors: what the processes say, features that are not finite or change their
// number (InvalidArgument), files. Exceptions of LibTorch end here.
absl::StatusOr<PolicyOutcome> TrainPolicy(const TrainPolicyOptions& options);

}  // namespace cleave

#endif  // CLEAVE_LEARN_TRAIN_POLICY_H_
