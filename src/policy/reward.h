#ifndef CLEAVE_POLICY_REWARD_H_
#define CLEAVE_POLICY_REWARD_H_

#include "absl/status/status.h"

namespace cleave {

// Weights of the reward. All at least 0 and finite.
struct RewardOptions {
  double latency_weight = 0.1;  // Of latency / deadline.
  double latency_cap = 2;       // latency / deadline beyond this counts as this.
  double miss_penalty = 1;      // For an answer after the deadline.
  double energy_weight = 0;     // For each joule of the device.

  // Power of the device in watts, for the energy term: while it computes, while its radio sends or
  // receives, and while it waits.
  double compute_w = 0;
  double radio_w = 0;
  double idle_w = 0;

  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// What became of one inference, in the environment or in the real world alike.
struct Outcome {
  double accuracy = 0;  // Of the answer's plan, a share from 0 to 1.
  double latency_us = 0;
  double deadline_us = 0;  // Above 0.
  double device_us = 0;    // Of the latency: the device computed,
  double radio_us = 0;     // its radio was busy; the rest it waited.

  bool missed() const { return latency_us > deadline_us; }
};

// The reward of Niu et al. (arXiv 2201.02968) as docs/sacd.md reads it:
//
//   accuracy - latency_weight * min(latency / deadline, latency_cap)
//            - miss_penalty * [latency > deadline] - energy_weight * joules
double Reward(const Outcome& outcome, const RewardOptions& options);

// Joules that the device spent on it.
double EnergyJ(const Outcome& outcome, const RewardOptions& options);

}  // namespace cleave

#endif  // CLEAVE_POLICY_REWARD_H_
