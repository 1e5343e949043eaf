#include "learn/dqn.h"

#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "learn/scored_agent.h"

namespace cleave {
namespace {

class Dqn final : public ScoredAgent {
 public:
  Dqn(const DecisionShape& shape, const DqnOptions& options, std::uint64_t seed)
      : Dqn(shape, options, at::detail::createCPUGenerator(seed)) {}

  std::vector<float> Probabilities(const Features& now) const override {
    const float valid = std::accumulate(now.valid.begin(), now.valid.end(), 0.0F);
    const float epsilon = epsilon_.item<float>();
    std::vector<float> probabilities = now.valid;
    for (float& probability : probabilities) probability *= epsilon / valid;
    probabilities[static_cast<std::size_t>(BestValid(Values(now), now))] += 1 - epsilon;
    return probabilities;
  }

  std::vector<float> Values(const Features& now) const override {
    const torch::NoGradGuard no_grad;
    return FloatsOf(critic_.All(Read(now)));
  }

 private:
  Dqn(const DecisionShape& shape, const DqnOptions& options, at::Generator generator)
      : ScoredAgent(shape, options.learning),
        options_(options),
        critic_(shape, options.learning, generator),
        target_(shape, options.learning, generator),
        epsilon_(torch::full({1}, options.first_epsilon)),
        adam_(AddAdam("adam", {critic_.weights()}, options.learning.rate)) {
    target_.MoveTowards(critic_, 1);
  }

  const Scorer& Exported() const override { return critic_; }

  LearnFigures Update(const UpdateBatch& batch, const ReplayBatch& /*remembered*/,
                      double share) override {
    const torch::Tensor loss = batch.targets.Mean(
        torch::smooth_l1_loss(critic_.All(batch.now), batch.target, at::Reduction::None));
    Step(adam_, loss, share);
    target_.MoveTowards(critic_, learning().tau);
    const double epsilon =
        Scheduled(options_.first_epsilon, options_.last_epsilon, options_.epsilon_share, share);
    epsilon_.fill_(epsilon);
    return {.temperature = epsilon, .critic_loss = loss.item<double>()};
  }

  // The network chooses among the valid plans, its target says what the choice is worth.
  torch::Tensor Future(const Decisions& next) const override {
    const torch::NoGradGuard no_grad;
    const torch::Tensor best =
        critic_.All(next)
            .masked_fill(next.invalid, -std::numeric_limits<float>::infinity())
            .argmax(1);
    return learning().gamma * target_.Of(next, best).unsqueeze(1);
  }

  std::map<std::string, torch::Tensor> Leaves() const override {
    return {{"critic", critic_.weights()}, {"target", target_.weights()}, {"epsilon", epsilon_}};
  }

  const DqnOptions options_;
  Scorer critic_, target_;
  torch::Tensor epsilon_;
  Adam& adam_;
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
