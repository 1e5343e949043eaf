#include "learn/scored_agent.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/status_macros.h"

namespace cleave {

std::vector<float> ScoredAgent::Scores(const Features& now) const {
  const torch::NoGradGuard no_grad;
  const Decisions decisions = reader_.Read(now);
  return FloatsOf(Exported().All(decisions) -
                  decisions.invalid.to(torch::kFloat) * kInvalidPenalty);
}

LearnFigures ScoredAgent::Learn(const ReplayBuffer& seen, std::mt19937_64& random, double share) {
  seen.Sample(static_cast<std::size_t>(learning_.batch), random, batch_);
  UpdateBatch batch{.now = reader_.Read(batch_.now),
                    .targets = TargetsOf(batch_, shape_, learning_)};
  batch.target = batch.targets.reward + Future(reader_.Read(batch_.next));
  return Update(batch, batch_, share);
}

absl::StatusOr<std::map<std::string, Tensor>> ScoredAgent::State() const {
  return CopyOut(Tensors());
}

absl::Status ScoredAgent::Restore(const std::map<std::string, Tensor>& tensors,
                                  const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(CopyIn(tensors, origin, Tensors()));
  for (const auto& adam : optimizers_) adam->Restored();
  return absl::OkStatus();
}

Adam& ScoredAgent::AddAdam(const std::string& name, std::vector<torch::Tensor> leaves,
                           double rate) {
  optimizers_.push_back(std::make_unique<Adam>(name, std::move(leaves), rate));
  return *optimizers_.back();
}

double ScoredAgent::Scheduled(double first, double last, double over, double share) {
  return first + std::min(share / over, 1.0) * (last - first);
}

void ScoredAgent::Step(Adam& adam, const torch::Tensor& loss, double share) const {
  adam.Step(loss, RateAt(learning_, share), learning_.max_gradient);
}

std::map<std::string, torch::Tensor> ScoredAgent::Tensors() const {
  std::map<std::string, torch::Tensor> state = Leaves();
  reader_.AddState(state);
  for (const auto& adam : optimizers_) adam->AddState(state);
  return state;
}

}  // namespace cleave
