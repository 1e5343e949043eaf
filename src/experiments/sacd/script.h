#ifndef CLEAVE_EXPERIMENTS_SACD_SCRIPT_H_
#define CLEAVE_EXPERIMENTS_SACD_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/sacd/player.h"
#include "experiments/sacd/results.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

// A world in which one thing changes suddenly, and all else stays.
struct Script {
  std::string name;
  std::string what;
  world::EnvironmentOptions options;
};

// Returns a sudden CPU drop, a rate drop and an outage, each there and back again, around a link of
// `usual_bps` and the device's usual slow-down.
std::vector<Script> Scripts(const world::EnvironmentOptions& usual, double usual_bps);

// Returns the times (s) at which rate or slow-down change between two steps by more than a quarter.
std::vector<double> ChangesOf(const std::vector<Step>& steps);

// Plays the course of the learned policies' first files, the exact search, dynamic split and the
// oracle through the scripts.
absl::StatusOr<std::vector<Timeline>> PlayScripts(world::SimulatedEnvironment& environment,
                                                  std::vector<NamedPlayer>& players,
                                                  std::uint64_t seed);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_SCRIPT_H_
