// Discrete Soft Actor-Critic in one file that is read from top to bottom, as CleanRL's are. All
// expectations over plans are exact sums over the valid ones.
#include "learn/sacd.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "learn/scored_agent.h"

namespace cleave {
namespace {

using Critics = SacdOptions::Critics;

// What the actor does: probabilities (exactly 0 where invalid), their logarithms (0 where invalid,
// so that 0 log 0 is 0) and the entropy of each sample.
struct Acting {
  torch::Tensor probabilities;  // B x A
  torch::Tensor logs;           // B x A
  torch::Tensor entropy;        // B
};

Acting Act(const torch::Tensor& scores, const torch::Tensor& invalid) {
  Acting acting;
  const torch::Tensor logs =
      torch::log_softmax(scores.masked_fill(invalid, -std::numeric_limits<float>::infinity()), 1);
  acting.probabilities = logs.exp();
  acting.logs = logs.masked_fill(invalid, 0);
  acting.entropy = -(acting.probabilities * acting.logs).sum(1);
  return acting;
}

class Sacd final : public ScoredAgent {
 public:
  Sacd(const DecisionShape& shape, const SacdOptions& options, std::uint64_t seed)
      : Sacd(shape, options, at::detail::createCPUGenerator(seed)) {}

  std::vector<float> Probabilities(const Features& now) const override {
    const torch::NoGradGuard no_grad;
    const Decisions decisions = Read(now);
    return FloatsOf(Act(actor_.All(decisions), decisions.invalid).probabilities);
  }

  std::vector<float> Values(const Features& now) const override {
    const torch::NoGradGuard no_grad;
    const Decisions decisions = Read(now);
    return FloatsOf((critic1_.All(decisions) + critic2_.All(decisions)) / 2);
  }

 private:
  Sacd(const DecisionShape& shape, const SacdOptions& options, at::Generator generator)
      : ScoredAgent(shape, options.learning),
        options_(options),
        actor_(shape, options.learning, generator),
        critic1_(shape, options.learning, generator),
        critic2_(shape, options.learning, generator),
        target1_(shape, options.learning, generator),
        target2_(shape, options.learning, generator),
        log_temperature_(
            torch::full({1}, std::log(options.first_temperature)).set_requires_grad(true)),
        actor_adam_(AddAdam("actor_adam", {actor_.weights()}, options.learning.rate)),
        critic_adam_(AddAdam("critic_adam", {critic1_.weights(), critic2_.weights()},
                             options.learning.rate)),
        temperature_adam_(
            AddAdam("temperature_adam", {log_temperature_}, options.temperature_rate)) {
    target1_.MoveTowards(critic1_, 1);
    target2_.MoveTowards(critic2_, 1);
  }

  const Scorer& Exported() const override { return actor_; }

  LearnFigures Update(const UpdateBatch& batch, const ReplayBatch& remembered,
                      double share) override {
    LearnFigures figures;
    figures.critic_loss = LearnCritics(batch, share);
    LearnActor(batch, remembered, share, figures);
    target1_.MoveTowards(critic1_, learning().tau);
    target2_.MoveTowards(critic2_, learning().tau);
    return figures;
  }

  double Temperature() const { return std::exp(log_temperature_.item<double>()); }

  torch::Tensor Both(const torch::Tensor& value1, const torch::Tensor& value2) const {
    return options_.critics == Critics::kMin ? torch::minimum(value1, value2)
                                             : (value1 + value2) / 2;
  }

  // gamma E[Q'(s', a') - alpha log pi(a'|s')].
  torch::Tensor Future(const Decisions& next) const override {
    const torch::NoGradGuard no_grad;
    const Acting acting = Act(actor_.All(next), next.invalid);
    const torch::Tensor values = Both(target1_.All(next), target2_.All(next));
    const torch::Tensor soft =
        (acting.probabilities * values).sum(1) + Temperature() * acting.entropy;
    return learning().gamma * soft.unsqueeze(1);
  }

  // Squared errors, B x A. With Q-clip, the larger one of the critic's own and of a critic
  // that stays within q_clip of its target network, so that one that ran away is pulled back.
  torch::Tensor Errors(const Scorer& critic, const Scorer& target_critic, const Decisions& now,
                       const torch::Tensor& target) const {
    const torch::Tensor value = critic.All(now);
    const torch::Tensor errors = (value - target).square();
    if (options_.q_clip <= 0) return errors;
    torch::Tensor before;
    {
      const torch::NoGradGuard no_grad;
      before = target_critic.All(now);
    }
    const torch::Tensor clipped =
        before + (value - before).clamp(-options_.q_clip, options_.q_clip);
    return torch::maximum(errors, (clipped - target).square());
  }

  double LearnCritics(const UpdateBatch& batch, double share) {
    const torch::Tensor loss =
        batch.targets.Mean(Errors(critic1_, target1_, batch.now, batch.target) +
                           Errors(critic2_, target2_, batch.now, batch.target));
    Step(critic_adam_, loss, share);
    return loss.item<double>();
  }

  // What the actor is told that plans are worth: what the critics say, drawn towards what is known
  // to have come of each plan.
  torch::Tensor Worth(const UpdateBatch& batch) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor values = Both(critic1_.All(batch.now), critic2_.All(batch.now));
    return values + options_.side_share * batch.targets.known * (batch.target - values);
  }

  void LearnActor(const UpdateBatch& batch, const ReplayBatch& remembered, double share,
                  LearnFigures& figures) {
    const torch::Tensor values = Worth(batch);
    const Acting acting = Act(actor_.All(batch.now), batch.now.invalid);
    // The plans are summed first, and then the mean is taken over the batch.
    torch::Tensor loss =
        (-(acting.probabilities * values).sum(1) - Temperature() * acting.entropy).mean();
    if (options_.entropy_penalty > 0) {
      const torch::Tensor before = torch::tensor(remembered.entropy);
      loss = loss + options_.entropy_penalty * 0.5 * (before - acting.entropy).square().mean();
    }
    Step(actor_adam_, loss, share);
    LearnTemperature(acting.entropy.detach(), batch.now.invalid, share);
    figures.actor_loss = loss.item<double>();
    figures.entropy = acting.entropy.mean().item<double>();
    figures.temperature = Temperature();
  }

  // The temperature rises where the entropy is below its target, and falls where it is above.
  void LearnTemperature(const torch::Tensor& entropy, const torch::Tensor& invalid, double share) {
    const double factor =
        Scheduled(options_.first_entropy, options_.last_entropy, options_.entropy_share, share);
    const torch::Tensor target = invalid.logical_not().sum(1).to(torch::kFloat).log() * factor;
    const torch::Tensor loss = log_temperature_ * (entropy - target).mean();
    temperature_adam_.Step(loss, options_.temperature_rate, learning().max_gradient);
  }

  std::map<std::string, torch::Tensor> Leaves() const override {
    return {{"actor", actor_.weights()},     {"critic1", critic1_.weights()},
            {"critic2", critic2_.weights()}, {"target1", target1_.weights()},
            {"target2", target2_.weights()}, {"log_temperature", log_temperature_}};
  }

  const SacdOptions options_;
  Scorer actor_;
  Scorer critic1_, critic2_;
  Scorer target1_, target2_;
  torch::Tensor log_temperature_;
  Adam& actor_adam_;
  Adam& critic_adam_;
  Adam& temperature_adam_;
};

}  // namespace

absl::Status SacdOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(learning.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("q_clip", q_clip, 0, 1e6));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("entropy_penalty", entropy_penalty, 0, 1e6));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("side_share", side_share, 0, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("first_entropy", first_entropy, 0, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("last_entropy", last_entropy, 0, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("entropy_share", entropy_share, 1e-6, 1));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("first_temperature", first_temperature, 1e-6, 1e3));
  return CheckRange<double>("temperature_rate", temperature_rate, 1e-7, 1);
}

std::map<std::string, std::string> SacdOptions::Describe() const {
  std::map<std::string, std::string> fields = learning.Describe();
  fields["critics"] = std::string(CriticsName(critics));
  fields["q_clip"] = absl::StrCat(q_clip);
  fields["entropy_penalty"] = absl::StrCat(entropy_penalty);
  fields["side_share"] = absl::StrCat(side_share);
  fields["first_entropy"] = absl::StrCat(first_entropy);
  fields["last_entropy"] = absl::StrCat(last_entropy);
  fields["entropy_share"] = absl::StrCat(entropy_share);
  fields["first_temperature"] = absl::StrCat(first_temperature);
  fields["temperature_rate"] = absl::StrCat(temperature_rate);
  return fields;
}

absl::string_view CriticsName(Critics critics) { return critics == Critics::kMin ? "min" : "mean"; }

std::unique_ptr<Agent> MakeSacd(const DecisionShape& shape, const SacdOptions& options,
                                std::uint64_t seed) {
  return std::make_unique<Sacd>(shape, options, seed);
}

}  // namespace cleave
