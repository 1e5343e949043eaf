#ifndef CLEAVE_EXPERIMENTS_SACD_REAL_SETUP_H_
#define CLEAVE_EXPERIMENTS_SACD_REAL_SETUP_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/rig/edge_load.h"
#include "experiments/rig/rig.h"
#include "experiments/rig/worker.h"
#include "experiments/sacd/contenders.h"
#include "experiments/sacd/follow.h"
#include "experiments/sacd/real.h"
#include "experiments/sacd/results.h"
#include "experiments/sacd/truth.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

// All that runs while policies are compared with real processes.
struct RealSetup {
  std::unique_ptr<rig::Rig> rig;
  std::unique_ptr<rig::Worker> timed, exact, untimed, hedged;  // As Workers has them.
  std::vector<std::unique_ptr<rig::Worker>> learned;
  std::unique_ptr<rig::EdgeLoad> load;  // Null where the environment has no other clients.
  std::unique_ptr<Truth> truth;
  ShareRule rule;
  Real description;  // What is known before the first cycle.

  Workers workers() const;
};

// Starts edge, devices and other clients, measures them and has every device meet its share. The
// environment must outlive what is returned. FailedPrecondition where the model is not that of the
// environment.
absl::StatusOr<RealSetup> SetUpReal(const world::SimulatedEnvironment& environment,
                                    const RealOptions& options);

// Returns the seed of the course of a cycle; each cycle has one of its own.
std::uint64_t CourseSeed(const RealOptions& options, int cycle);

// Returns those of all cycles.
std::vector<std::uint64_t> CourseSeeds(const RealOptions& options);

// Returns the time from one inference to the next.
double BeatUs(const world::SimulatedEnvironment& environment);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_REAL_SETUP_H_
