#ifndef CLEAVE_POLICY_REWARD_H_
#define CLEAVE_POLICY_REWARD_H_

#include "absl/status/status.h"

namespace cleave {

// The weights of the reward. All are finite and not negative.
struct RewardOptions {
  double latency_weight = 0.1;  // For latency / deadline.
  double latency_cap = 2;       // A greater latency / deadline counts as this.
  double miss_penalty = 1;      // For an answer after the deadline.
  double energy_weight = 0;     // For each joule of the device.

  // The power of the device in watts, for the energy term: while it computes, while its radio sends
  // or receives, and while it waits.
  double compute_w = 0;
  double radio_w = 0;
  double idle_w = 0;

  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// What became of one inference, in a simulated environment or in the real world.
struct Outcome {
  double accuracy = 0;  // That of the answer's plan, from 0 to 1.
  double latency_us = 0;
  double deadline_us = 0;  // It is above 0.
  double device_us = 0;    // The part of the latency in which the device computed,
  double radio_us = 0;     // and in which its radio was busy; it waited in the rest.

  bool missed() const { return latency_us > deadline_us; }
};

// The reward of Niu et al. (arXiv 2201.02968) as docs/sacd.md reads it:
//
//   accuracy - latency_weight * min(latency / deadline, latency_cap)
//            - miss_penalty * [latency > deadline] - energy_weight * joules
double Reward(const Outcome& outcome, const RewardOptions& options);

// Returns the energy in joules that the device spent on the inference.
double EnergyJ(const Outcome& outcome, const RewardOptions& options);

}  // namespace cleave

#endif  // CLEAVE_POLICY_REWARD_H_
