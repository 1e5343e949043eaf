#ifndef CLEAVE_LEARN_AGENT_H_
#define CLEAVE_LEARN_AGENT_H_

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "learn/replay.h"
#include "model/scorer_graph.h"
#include "policy/features.h"

namespace cleave {

// What agents that learn from remembered decisions have in common.
struct LearningOptions {
  // Weight of the next decision's value. One inference changes little of what the next one meets,
  // while link and machines change much: with 0.9 a value is mostly what chance brings next, and
  // what tells plans apart is lost in it.
  double gamma = 0.3;
  // Transitions of an update. Haarnoja et al. (arXiv 1812.05905) take 256, Christodoulou
  // (arXiv 1910.07207) 64; the smaller one keeps an update at some milliseconds.
  int batch = 64;
  // Adam's, falling in a straight line to a tenth by the end. 3e-4 in both papers, for networks of
  // ten times the width.
  double rate = 1e-3;
  // Share of the networks that their targets take over after each update: both papers' 0.005.
  double tau = 0.005;
  // Longest gradient of a network in an update; longer ones are scaled down to it.
  double max_gradient = 10;
  // Decisions, uniform over the valid plans, before the first update: what features are normalized
  // by. Christodoulou's 20,000 are of 100,000 on Atari.
  int warm_up = 2'000;
  // States that are remembered.
  int capacity = 50'000;
  // Decisions for each update. 1 in Haarnoja et al., 4 in Christodoulou; between them for the sake
  // of time.
  int decisions_per_update = 2;
  // What is taken off the reward of a decision that was overruled. Without it a plan that the guard
  // or the deadline turns down is as good as what is done instead, and a policy may leave decisions
  // to them.
  double overruled_cost = 0.02;
  // How much what the other plans would have earned counts beside what the one that was taken did,
  // where the process tells (Environment::Alternatives). 0: an agent sees what it does alone.
  double side_weight = 1;
  int hidden = 32;        // Width of the layer that reads the features,
  int inner_hidden = 32;  // and of the one behind it.

  absl::Status Validate() const;
  // Returns every field by name: what must be the same to go on, and what a model card tells.
  std::map<std::string, std::string> Describe() const;
};

// What the last update gave.
struct LearnFigures {
  double temperature = 0;  // SAC's alpha; epsilon of an agent that has none.
  double entropy = 0;      // Mean over the batch, in nats.
  double critic_loss = 0;
  double actor_loss = 0;  // 0 for an agent without an actor.
};

// An agent that learns to choose plans. Deterministic: the same calls give the same bits on the
// same kind of processor, if LibTorch has one thread (at::set_num_threads). Thread-compatible. May
// throw what LibTorch throws; TrainPolicy catches it.
class Agent {
 public:
  virtual ~Agent() = default;

  // Returns the probability of each plan when the agent acts in order to learn; exactly 0 for one
  // that is not valid.
  virtual std::vector<float> Probabilities(const Features& now) const = 0;
  // Returns what the exported file gives: the greatest score of a valid plan is the choice. That of
  // a plan that is not valid is lower than all others by kInvalidPenalty or nearly so.
  virtual std::vector<float> Scores(const Features& now) const = 0;
  // Returns the agent's estimate of each plan's value; meaningless for those that are not valid.
  virtual std::vector<float> Values(const Features& now) const = 0;

  // Normalizes features from here on by those seen. It is called once, before the first update.
  virtual void Normalize(const ReplayBuffer& seen) = 0;
  // Makes one update. `share` says how much of the training is over, for schedules.
  // REQUIRES: seen.transitions() > 0.
  virtual LearnFigures Learn(const ReplayBuffer& seen, std::mt19937_64& random, double share) = 0;

  // Returns the weights that are exported.
  virtual ScorerWeights Weights() const = 0;

  // These return all that learning goes on from, and go on from it. InvalidArgument names origin,
  // tensor, what was found and what was expected, and changes nothing.
  virtual absl::StatusOr<std::map<std::string, Tensor>> State() const = 0;
  virtual absl::Status Restore(const std::map<std::string, Tensor>& tensors,
                               const std::string& origin) = 0;
};

// Makes LibTorch's operators on the calling thread do without other threads, so that their results
// do not depend on the machine's cores.
void UseOneThread();

// Returns the valid plan of the greatest score.
int BestValid(const std::vector<float>& scores, const Features& now);

// Returns a plan drawn by its probability; one of probability 0 never is. REQUIRES: some
// probability is above 0.
int DrawPlan(const std::vector<float>& probabilities, std::mt19937_64& random);

// Returns the entropy in nats; 0 log 0 is 0.
double EntropyOf(const std::vector<float>& probabilities);

}  // namespace cleave

#endif  // CLEAVE_LEARN_AGENT_H_
