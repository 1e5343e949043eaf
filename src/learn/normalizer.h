#ifndef CLEAVE_LEARN_NORMALIZER_H_
#define CLEAVE_LEARN_NORMALIZER_H_

#include <vector>

#include "learn/replay.h"

namespace cleave {

// Mean and inverse standard deviation of each feature: of the states that were seen, and of the
// plans that could be taken in them. A feature that hardly moved is only centred.
struct Normalization {
  std::vector<float> state_mean, state_scale;
  std::vector<float> plan_mean, plan_scale;

  // Returns one that changes nothing: means of 0 and scales of 1.
  static Normalization Identity(const DecisionShape& shape);
  // Returns that of what was seen. REQUIRES: the buffer holds a state.
  static Normalization Of(const ReplayBuffer& seen);
};

// How far from its mean a feature may be, in standard deviations; beyond, it counts as that far.
inline constexpr float kFeatureLimit = 10;

// Returns the quantile `share` of each state feature over the states that were seen, as one of its
// values. REQUIRES: the buffer holds a state; 0 <= share <= 1.
std::vector<float> StateQuantile(const ReplayBuffer& seen, double share);

}  // namespace cleave

#endif  // CLEAVE_LEARN_NORMALIZER_H_
