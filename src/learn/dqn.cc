#include "learn/dqn.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "learn/scorer.h"
#include "learn/targets.h"

namespace cleave {
namespace {

class Dqn final : public Agent {
 public:
  Dqn(const DecisionShape& shape, const DqnOptions& options, std::uint64_t seed)
      : Dqn(shape, options, at::detail::createCPUGenerator(seed)) {}

  std::vector<float> Probabilities(const Features& now) const override {
    const float valid = std::accumulate(now.valid.begin(), now.valid.end(), 0.0F);
    const float epsilon = epsilon_.item<float>();
    std::vector<float> probabilities = now.valid;
    for (float& chance : probabilities) chance *= epsilon / valid;
    probabilities[static_cast<std::size_t>(BestValid(Values(now), now))] += 1 - epsilon;
    return probabilities;
  }

  std::vector<float> Scores(const Features& now) const override {
    const torch::NoGradGuard no_grad;
    const Decisions decisions = reader_.Read(now);
    return FloatsOf(critic_.All(decisions) - decisions.invalid.to(torch::kFloat) * kInvalidPenalty);
  }

  std::vector<float> Values(const Features& now) const override {
    const torch::NoGradGuard no_grad;
    return FloatsOf(critic_.All(reader_.Read(now)));
  }

  void Normalize(const ReplayBuffer& seen) override { reader_.Set(Normalization::Of(seen)); }

  LearnFigures Learn(const ReplayBuffer& seen, std::mt19937_64& random, double share) override {
    seen.Sample(static_cast<std::size_t>(options_.learning.batch), random, batch_);
    const Decisions now = reader_.Read(batch_.now);
    const Targets targets = TargetsOf(batch_, shape_, options_.learning);
    const torch::Tensor target = targets.reward + Future(reader_.Read(batch_.next));
    const torch::Tensor loss =
        targets.Mean(torch::smooth_l1_loss(critic_.All(now), target, at::Reduction::None));
    adam_.Step(loss, RateAt(options_.learning, share), options_.learning.max_gradient);
    target_.MoveTowards(critic_, options_.learning.tau);
    const double epsilon = EpsilonAt(share);
    epsilon_.fill_(epsilon);
    return {.temperature = epsilon, .critic_loss = loss.item<double>()};
  }

  ScorerWeights Weights() const override { return ExportWeights(critic_, reader_, shape_); }

  absl::StatusOr<std::map<std::string, Tensor>> State() const override {
    return CopyOut(Tensors());
  }

  absl::Status Restore(const std::map<std::string, Tensor>& tensors,
                       const std::string& origin) override {
    CLEAVE_RETURN_IF_ERROR(CopyIn(tensors, origin, Tensors()));
    adam_.Restored();
    return absl::OkStatus();
  }

 private:
  Dqn(const DecisionShape& shape, const DqnOptions& options, at::Generator generator)
      : shape_(shape),
        options_(options),
        reader_(shape),
        critic_(shape, options.learning, generator),
        target_(shape, options.learning, generator),
        epsilon_(torch::full({1}, options.first_epsilon)),
        adam_("adam", {critic_.weights()}, options.learning.rate) {
    target_.MoveTowards(critic_, 1);
  }

  double EpsilonAt(double share) const {
    const double way = std::min(share / options_.epsilon_share, 1.0);
    return options_.first_epsilon + way * (options_.last_epsilon - options_.first_epsilon);
  }

  // The network chooses among the valid plans, its target says what the choice is worth. No state
  // is terminal.
  torch::Tensor Future(const Decisions& next) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor best =
        critic_.All(next)
            .masked_fill(next.invalid, -std::numeric_limits<float>::infinity())
            .argmax(1);
    return options_.learning.gamma * target_.Of(next, best).unsqueeze(1);
  }

  std::map<std::string, torch::Tensor> Tensors() const {
    std::map<std::string, torch::Tensor> state = {
        {"critic", critic_.weights()}, {"target", target_.weights()}, {"epsilon", epsilon_}};
    reader_.AddState(state);
    adam_.AddState(state);
    return state;
  }

  const DecisionShape shape_;
  const DqnOptions options_;
  FeatureReader reader_;
  Scorer critic_, target_;
  torch::Tensor epsilon_;
  Adam adam_;
  ReplayBatch batch_;  // Kept for its memory.
};

}  // namespace

absl::Status DqnOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(learning.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("first_epsilon", first_epsilon, 0, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("last_epsilon", last_epsilon, 0, 1));
  return CheckRange<double>("epsilon_share", epsilon_share, 1e-6, 1);
}

std::map<std::string, std::string> DqnOptions::Describe() const {
  std::map<std::string, std::string> fields = learning.Describe();
  fields["first_epsilon"] = absl::StrCat(first_epsilon);
  fields["last_epsilon"] = absl::StrCat(last_epsilon);
  fields["epsilon_share"] = absl::StrCat(epsilon_share);
  return fields;
}

std::unique_ptr<Agent> MakeDqn(const DecisionShape& shape, const DqnOptions& options,
                               std::uint64_t seed) {
  return std::make_unique<Dqn>(shape, options, seed);
}

}  // namespace cleave
