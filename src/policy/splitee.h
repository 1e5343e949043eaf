#ifndef CLEAVE_POLICY_SPLITEE_H_
#define CLEAVE_POLICY_SPLITEE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "cleave/plan.h"
#include "policy/constraints.h"
#include "policy/features.h"
#include "policy/observation.h"
#include "policy/plan_table.h"
#include "policy/policy.h"

namespace cleave {

struct SplitEeOptions {
  // The weight of the cost against the confidence: mu in the paper, whose code has 1.
  double cost_weight = 0.1;
  double cost_cap = 2;     // A greater latency / deadline costs as much as this.
  double exploration = 1;  // It is beta in the paper, whose code has 1.

  // InvalidArgument names a field that is negative or not finite.
  absl::Status Validate() const;
};

// I-SplitEE (Bajpai, Jaiswal, Hanawal, arXiv 2401.10541): a bandit over exits and splits that
// learns online and without labels. The paper's arm i is "run to exit i on the device, answer there
// if its confidence C_i reaches a threshold, else let the cloud finish with the last exit L", with
//
//   r(i) = C_i - mu gamma_i              answered on the device
//          C_L - mu (gamma_i + o)        finished by the cloud
//   i_t  = argmax_i  Q_i + beta sqrt(ln t / N_i),   each arm once before
//
// gamma_i is the cost of computing, o that of the transfer, Q_i the mean of r(i) over the N_i times
// it was seen; every exit before i that was passed on the way counts as seen too (side
// observations).
//
// Here an arm is a plan {exit, cut, encoding}, and its reward is the confidence of the answer that
// came out of it less mu times its latency over the deadline: one unit for both costs. The
// threshold is the device's (DeviceOptions::Plans::exit_confidence); whoever answered, the
// confidence is that of the answer. The paper's costs are constants; here they follow the link, so
// the part of them that is known beforehand is left out of what is learned:
//
//   learned from a run:  x_i = C - mu (c(latency) - c(predicted)),  c(t) = min(t / deadline, cap)
//   i_t = argmax_i  mean(x_i) - mu c(predicted_i now) + beta sqrt(ln t / N_i)
//
// which is the paper's rule wherever predictions stay the same. t counts decisions that were
// learned from. Thread-compatible.
class SplitEe {
 public:
  // A plan that was run, or passed on the way: an earlier exit that the device computed is the plan
  // which ends there on the device.
  struct Play {
    Plan plan;
    double confidence = 0;    // The greatest probability of the answer, from 0 to 1.
    double predicted_us = 0;  // What was predicted for this plan when it was decided.
    double latency_us = 0;    // From the start to the answer, or to the exit passed.
  };
  struct Feedback {
    Play taken;
    std::vector<Play> passed;
    double deadline_us = 0;  // Above 0; without a deadline, what CostScaleUs gave.
  };

  // REQUIRES: options and constraints are valid; plans is not empty, each of them once.
  SplitEe(std::vector<Plan> plans, const Constraints& constraints, const SplitEeOptions& options);

  // Returns the arm to play: of the valid ones (policy/features.h) one that was never seen, in the
  // order of the list, else the one with the highest bound. Where none can be taken, it is the
  // table's last plan.
  Decision Choose(const PlanTable& table, const Observation& observation);

  // InvalidArgument, and nothing is learned, for a taken plan that is no arm and for figures that
  // cannot be. Plans passed on the way that are no arms are left out.
  absl::Status Learn(const Feedback& feedback);

  // Returns what latencies are divided by: the deadline; without one the time that the whole
  // network takes on the device by its profile.
  static double CostScaleUs(const PlanTable& table, const Observation& observation);

  std::int64_t SeenOf(const Plan& plan) const;  // N_i, or 0 for a plan that is no arm.

 private:
  struct Arm {
    std::int64_t seen = 0;
    double mean = 0;
  };

  double Cost(double time_us, double scale_us) const;
  double BoundOf(const Arm& arm) const;
  absl::Status CheckPlay(const Play& play) const;
  void Add(const Play& play, double scale_us);
  // Returns the index of the arm that is this plan, if there is one.
  std::optional<int> ArmOf(const Plan& plan) const;

  const std::vector<Plan> plans_;
  const Constraints constraints_;
  const SplitEeOptions options_;
  std::vector<Arm> arms_;
  std::int64_t rounds_ = 0;
  Features features_;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_SPLITEE_H_
