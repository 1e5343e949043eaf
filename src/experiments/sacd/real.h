#ifndef CLEAVE_EXPERIMENTS_SACD_REAL_H_
#define CLEAVE_EXPERIMENTS_SACD_REAL_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/sacd/learned_policy.h"
#include "experiments/sacd/results.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

struct RealOptions {
  std::string model;
  std::string data;  // Folder of labelled pictures (CLASS/*.jpg).
  std::string program;
  std::string folder;             // Takes the logs of the processes.
  std::string cuts = "frontier";  // As DeviceOptions has them.
  std::string encodings = "all";
  int threads = 1;
  std::vector<LearnedPolicy> learned;  // The first file of each is run.
  int inferences = 1000;               // The least number of inferences that count, of each policy.
  int block = 25;
  int warmup = 5;
  double device_share = 1;  // The share of a core that slow-down 1 is.
  // Whether the device is slowed by a quota of the kernel's instead of other work on its core.
  bool cpu_quota = false;
  double deadline_us = 0;
  std::optional<double> max_miss;  // Adds the row with hedging, with this bound on misses.
  std::uint64_t seed = 1;
  bool force_relay = false;
  std::function<void(const std::string&)> on_progress;
  // It is told after every cycle what there is by then.
  std::function<absl::Status(const Real&)> on_cycle;
  CancelToken cancel;

  // Returns the number of blocks of each policy, each of a course of its own.
  int cycles() const { return (inferences + block - 1) / block; }
  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Runs every policy with real processes in the world that `environment` is made of: the link's
// rates, the device's CPU share and the edge's load follow the courses that the environment
// simulates, in real time. In each cycle every policy runs one block, in an order that the seed
// gives, on the same course from its beginning and on the same pictures. A cycle in which a
// hypervisor gave more than kMostStolen of the processor's time to others is run again, whatever
// came of it, at most as often as there are cycles. A cancelled run returns what it has.
absl::StatusOr<Real> RunReal(world::SimulatedEnvironment& environment, const RealOptions& options);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_REAL_H_
