#ifndef CLEAVE_LEARN_TARGETS_H_
#define CLEAVE_LEARN_TARGETS_H_

// Internal to src/learn: LibTorch's side of what a batch teaches. May throw c10::Error.

#include <torch/torch.h>

#include "learn/agent.h"
#include "learn/replay.h"

namespace cleave {

// What a batch tells of the plans' rewards.
struct Targets {
  torch::Tensor reward;  // B x A; 0 where nothing is known.
  // B x A: 1 for the plan that was taken, and besides side_weight in equal parts for all plans
  // whose reward is known; 0 where nothing is.
  torch::Tensor weight;
  torch::Tensor known;  // B x A: 1 where a reward is known by side observation, else 0.

  // Returns the mean over the batch of the weighted sums of such errors, B x A.
  torch::Tensor Mean(const torch::Tensor& errors) const;
};

// What a plan that was not taken would have led to is not known: in a target, what the one that was
// taken led to stands for it, since one decision changes little of what the next one meets.
Targets TargetsOf(const ReplayBatch& batch, const DecisionShape& shape,
                  const LearningOptions& options);

}  // namespace cleave

#endif  // CLEAVE_LEARN_TARGETS_H_
