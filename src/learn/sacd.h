#ifndef CLEAVE_LEARN_SACD_H_
#define CLEAVE_LEARN_SACD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "learn/agent.h"

namespace cleave {

// Discrete Soft Actor-Critic: Christodoulou (arXiv 1910.07207), with what Zhou et al. (Revisiting
// Discrete SAC, arXiv 2209.10081) found against its faults.
struct SacdOptions {
  LearningOptions learning;

  // What a state is worth to the two target critics: the smaller value, as Christodoulou has it, or
  // their mean, as Zhou et al. do against its underestimation.
  enum class Critics { kMin, kMean };
  Critics critics = Critics::kMean;
  // Zhou et al.'s Q-clip: how far from its target a critic is followed, in value. 0.5 is theirs,
  // for rewards of Atari's size; 0: no clip.
  double q_clip = 0.5;
  // Weight of Zhou et al.'s entropy penalty, half the squared change of the entropy since the
  // decision was taken. Theirs is 0.5, for rewards of Atari's size; plans here differ by
  // hundredths, and such a weight holds the policy near the uniform one. 0: none.
  double entropy_penalty = 0;
  // Where the process tells what every plan would have earned (Environment::Alternatives): how
  // far the actor goes by that instead of by its critics. Both are right on average, but a critic
  // has to tell hundredths between plans from rewards that a miss moves by 1, and its errors are
  // the same at every update, while chance is not. 0: by the critics alone, as in the papers.
  double side_share = 0.5;

  // The temperature is learned so that the entropy is this share of what it can be in the state at
  // hand, the logarithm of the number of valid plans; it falls from `first` to `last` in a straight
  // line over `entropy_share` of the training. Christodoulou's 0.98 of all actions is more than a
  // policy that prefers anything can have, so the temperature grows without end.
  double first_entropy = 0.5;
  double last_entropy = 0.15;
  double entropy_share = 0.9;
  // Where the temperature begins: a fraction of the rewards' differences, which are below 1.
  double first_temperature = 0.1;
  double temperature_rate = 1e-3;  // Adam's.

  absl::Status Validate() const;  // InvalidArgument names the field.
  std::map<std::string, std::string> Describe() const;
};

// Returns "min" or "mean".
absl::string_view CriticsName(SacdOptions::Critics critics);

// REQUIRES: options.Validate().ok().
std::unique_ptr<Agent> MakeSacd(const DecisionShape& shape, const SacdOptions& options,
                                std::uint64_t seed);

}  // namespace cleave

#endif  // CLEAVE_LEARN_SACD_H_
