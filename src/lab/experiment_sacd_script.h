#ifndef CLEAVE_LAB_EXPERIMENT_SACD_SCRIPT_H_
#define CLEAVE_LAB_EXPERIMENT_SACD_SCRIPT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "lab/environment.h"
#include "lab/experiment_sacd_player.h"
#include "lab/experiment_sacd_results.h"

namespace cleave::sacd {

// A world in which one thing changes suddenly, and all else stays.
struct Script {
  std::string name;
  std::string what;
  EnvironmentOptions options;
};

// A sudden CPU drop, a rate drop and an outage, each there and back again, around a link of
// `usual_bps` and the device's usual slow-down.
std::vector<Script> Scripts(const EnvironmentOptions& usual, double usual_bps);

// Times (s) at which rate or slow-down change between two steps by more than a quarter.
std::vector<double> ChangesOf(const std::vector<Step>& steps);

// The course of the learned policies' first files, the exact search, dynamic split and the oracle
// through the scripts.
absl::StatusOr<std::vector<Timeline>> PlayScripts(Environment& environment,
                                                  std::vector<NamedPlayer>& players,
                                                  std::uint64_t seed);

}  // namespace cleave::sacd

#endif  // CLEAVE_LAB_EXPERIMENT_SACD_SCRIPT_H_
