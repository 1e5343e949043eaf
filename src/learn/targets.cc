#include "learn/targets.h"

namespace cleave {

torch::Tensor Targets::Mean(const torch::Tensor& errors) const {
  return (weight * errors).sum(1).mean();
}

Targets TargetsOf(const ReplayBatch& batch, const DecisionShape& shape,
                  const LearningOptions& options) {
  const torch::NoGradGuard no_grad;
  const auto size = static_cast<std::int64_t>(batch.size);
  const torch::Tensor side =
      torch::tensor(batch.side).view({size, static_cast<std::int64_t>(shape.plans)});
  const torch::Tensor action = torch::tensor(batch.action).unsqueeze(1);
  const torch::Tensor taken = torch::zeros_like(side).scatter_(1, action, 1);
  Targets targets;
  targets.known = side.isfinite().to(torch::kFloat);
  targets.reward =
      torch::nan_to_num(side).scatter(1, action, torch::tensor(batch.reward).unsqueeze(1));
  targets.weight =
      taken + options.side_weight * targets.known / targets.known.sum(1, true).clamp_min(1);
  return targets;
}

}  // namespace cleave
