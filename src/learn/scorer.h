#ifndef CLEAVE_LEARN_SCORER_H_
#define CLEAVE_LEARN_SCORER_H_

// Internal to src/learn: LibTorch's side of the networks that score plans. May throw c10::Error.

#include <torch/torch.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "learn/agent.h"
#include "learn/normalizer.h"
#include "learn/replay.h"
#include "model/scorer_graph.h"

namespace cleave {

// Normalized features as LibTorch has them: one row for each sample.
struct Decisions {
  torch::Tensor state;    // B x S
  torch::Tensor plans;    // B x A x P
  torch::Tensor invalid;  // B x A, bool.
};

// Normalizes features on their way to LibTorch. Thread-compatible.
class FeatureReader {
 public:
  explicit FeatureReader(const DecisionShape& shape);

  void Set(const Normalization& normalization);
  Normalization Get() const;

  Decisions Read(const ReplayBatch::Side& side) const;
  Decisions Read(const Features& features) const;

  void AddState(std::map<std::string, torch::Tensor>& state) const;

 private:
  Decisions Read(const float* state, const float* plans, const float* valid) const;

  DecisionShape shape_;
  torch::Tensor state_mean_, state_scale_, plan_mean_, plan_scale_;
};

// The network of ScorerWeights. All weights are one flat leaf, so that an optimizer, a target
// network and a checkpoint have one tensor to deal with. Thread-compatible.
class Scorer {
 public:
  // Draws the weights with He's variance, the last layer's a tenth of that so that all plans begin
  // nearly equal.
  Scorer(const DecisionShape& shape, const LearningOptions& options, at::Generator& generator);

  torch::Tensor& weights() { return weights_; }
  const torch::Tensor& weights() const { return weights_; }

  // Returns the scores of all plans, B x A, those that are not valid included.
  torch::Tensor All(const Decisions& decisions) const;
  // Returns the score of the plan `action` (B, int64) of each sample: B. Costs a fraction of All.
  torch::Tensor Of(const Decisions& decisions, const torch::Tensor& action) const;

  // Sets weights = (1 - tau) weights + tau other's; takes no part in gradients.
  void MoveTowards(const Scorer& other, double tau);

  // Writes everything but the normalization to `out`.
  void Export(ScorerWeights& out) const;

 private:
  std::vector<torch::Tensor> Parts() const;

  DecisionShape shape_;
  std::int64_t hidden_;
  std::int64_t inner_;
  std::vector<std::int64_t> sizes_;
  torch::Tensor weights_;
};

// Adam on some leaves, its state at hand for checkpoints. Thread-compatible.
class Adam {
 public:
  Adam(std::string name, std::vector<torch::Tensor> leaves, double rate);

  // Computes the gradients of `loss`, each leaf's no longer than max_gradient, and makes a step at
  // `rate`.
  void Step(const torch::Tensor& loss, double rate, double max_gradient);

  void AddState(std::map<std::string, torch::Tensor>& state) const;
  // Takes the number of steps from the tensors of AddState, after these were written to.
  void Restored();

 private:
  const std::string name_;
  std::vector<torch::Tensor> leaves_;
  torch::optim::Adam adam_;
  // Adam makes its state with its first step; here it is from the beginning.
  torch::Tensor steps_;
};

// Returns the rate of an update: from options.rate down to a tenth of it.
double RateAt(const LearningOptions& options, double share);

// Returns a network's file weights: the scorer's and the normalization.
ScorerWeights ExportWeights(const Scorer& scorer, const FeatureReader& reader,
                            const DecisionShape& shape);

std::vector<float> FloatsOf(const torch::Tensor& tensor);

// These copy a named set of tensors to what a checkpoint holds, and back into the same memory.
// CopyIn: InvalidArgument names origin, tensor, what was found and what was expected, and changes
// nothing.
absl::StatusOr<std::map<std::string, Tensor>> CopyOut(
    const std::map<std::string, torch::Tensor>& state);
absl::Status CopyIn(const std::map<std::string, Tensor>& tensors, const std::string& origin,
                    const std::map<std::string, torch::Tensor>& state);

}  // namespace cleave

#endif  // CLEAVE_LEARN_SCORER_H_
