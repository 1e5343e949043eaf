#ifndef CLEAVE_EXPERIMENTS_SACD_SIMULATED_H_
#define CLEAVE_EXPERIMENTS_SACD_SIMULATED_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/sacd/learned_policy.h"
#include "experiments/sacd/results.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

struct SimulatedOptions {
  std::string environment;  // Its name in the report.
  std::vector<LearnedPolicy> learned;
  int courses = 50;  // Episodes; every policy and file plays the same ones.
  std::uint64_t seed = 1;
  bool timelines = true;
  std::function<void(const std::string&)> on_progress;
  CancelToken cancel;

  absl::Status Validate() const;  // InvalidArgument names the field.
};

// Plays every policy through the same episodes of `environment`. A cancelled run returns the
// policies that have played all of them.
absl::StatusOr<Simulated> RunSimulated(world::SimulatedEnvironment& environment,
                                       const SimulatedOptions& options);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_SIMULATED_H_
