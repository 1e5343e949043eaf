#ifndef CLEAVE_EXPERIMENTS_SACD_CONTENDERS_H_
#define CLEAVE_EXPERIMENTS_SACD_CONTENDERS_H_

#include <functional>
#include <string>
#include <vector>

#include "experiments/rig/worker.h"
#include "experiments/sacd/real.h"
#include "experiments/sacd/truth.h"

namespace cleave::experiments::sacd {

// The device processes: one with the deadline for whoever does not go by its own past, one without,
// and with the deadline one for the exact search, one that hedges too (null: none) and one for each
// learned policy.
struct Workers {
  rig::Worker* timed = nullptr;
  rig::Worker* exact = nullptr;
  rig::Worker* untimed = nullptr;
  rig::Worker* hedged = nullptr;
  std::vector<rig::Worker*> learned;  // As RealOptions::learned.
};

// A policy of the real experiment, and the device process that runs by it.
struct Contender {
  std::string name;
  std::vector<std::string> files;
  rig::Worker* worker = nullptr;
  // What the worker is told for an inference at this time of the course: a policy that the device
  // knows, or a fixed plan that was chosen here.
  std::function<std::string(double now_us)> choose;
  std::function<void(const rig::Sample&)> learn;  // May be empty.
};

// Returns all policies of the table. The environment and the truth must outlive them.
std::vector<Contender> MakeContenders(const world::SimulatedEnvironment& environment,
                                      const Workers& workers, const RealOptions& options,
                                      int best_fixed_row, Truth& truth);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_CONTENDERS_H_
