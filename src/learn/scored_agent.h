#ifndef CLEAVE_LEARN_SCORED_AGENT_H_
#define CLEAVE_LEARN_SCORED_AGENT_H_

// Internal to src/learn: what the agents that are made of Scorers have in common. May throw
// c10::Error.

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "learn/agent.h"
#include "learn/scorer.h"
#include "learn/targets.h"

namespace cleave {

// What a batch of remembered decisions gives an update.
struct UpdateBatch {
  Decisions now;
  Targets targets;
  torch::Tensor target;  // B x A: what the critics are to say of each plan.
};

// An agent whose networks are Scorers, one of which is exported, and which learns by Adam.
class ScoredAgent : public Agent {
 public:
  std::vector<float> Scores(const Features& now) const final;
  void Normalize(const ReplayBuffer& seen) final { reader_.Set(Normalization::Of(seen)); }
  LearnFigures Learn(const ReplayBuffer& seen, std::mt19937_64& random, double share) final;
  ScorerWeights Weights() const final { return ExportWeights(Exported(), reader_, shape_); }
  absl::StatusOr<std::map<std::string, Tensor>> State() const final;
  absl::Status Restore(const std::map<std::string, Tensor>& tensors,
                       const std::string& origin) final;

 protected:
  ScoredAgent(const DecisionShape& shape, const LearningOptions& options)
      : shape_(shape), learning_(options), reader_(shape) {}

  // Returns the network that a file is made of.
  virtual const Scorer& Exported() const = 0;
  // Returns gamma times the value of what follows each decision, B x 1. No state is terminal.
  virtual torch::Tensor Future(const Decisions& next) const = 0;
  // Makes one update; `remembered` is what `batch` was read from.
  virtual LearnFigures Update(const UpdateBatch& batch, const ReplayBatch& remembered,
                              double share) = 0;
  // Returns all leaves by name, those of the optimizers and the normalization excepted.
  virtual std::map<std::string, torch::Tensor> Leaves() const = 0;

  Decisions Read(const Features& now) const { return reader_.Read(now); }

  // Adds an optimizer of this agent, which checkpoints hold from here on. It lives as long as the
  // agent.
  Adam& AddAdam(const std::string& name, std::vector<torch::Tensor> leaves, double rate);

  // Returns a schedule: from `first` to `last` in a straight line over the share `over` of the
  // training, and `last` from there on.
  static double Scheduled(double first, double last, double over, double share);

  // Makes one step of `adam` down the gradient of `loss`, at the rate of this share of the
  // training.
  void Step(Adam& adam, const torch::Tensor& loss, double share) const;

  const LearningOptions& learning() const { return learning_; }

 private:
  std::map<std::string, torch::Tensor> Tensors() const;

  const DecisionShape shape_;
  const LearningOptions learning_;
  FeatureReader reader_;
  std::vector<std::unique_ptr<Adam>> optimizers_;
  ReplayBatch batch_;  // Kept for its memory.
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_SCORED_AGENT_H_
