#ifndef CLEAVE_EXPERIMENTS_SACD_PLAYER_H_
#define CLEAVE_EXPERIMENTS_SACD_PLAYER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/sacd/learned_policy.h"
#include "experiments/sacd/results.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

// A policy's play in a simulated episode.
class Player {
 public:
  virtual ~Player() = default;
  // Returns what to do in the present inference. `index` counts in the environment's whole table.
  virtual Decision Choose(const world::SimulatedEnvironment& environment) = 0;
  virtual absl::Status Learn(const world::SimulatedEnvironment::Result& /*result*/) {
    return absl::OkStatus();
  }
  // Says whether the policy is not told the deadline.
  virtual bool untimed() const { return false; }
};

struct NamedPlayer {
  std::string name;
  std::string file;  // The file of a learned policy.
  std::unique_ptr<Player> player;
};

// Returns the row of this plan in the environment's table; -1 where it has none.
int RowOf(const PlanTable& table, const Plan& plan);

// Returns all policies that play in `environment`, the fixed one at `best_fixed_row`. Errors name
// the file of a learned policy at fault.
absl::StatusOr<std::vector<NamedPlayer>> MakePlayers(const world::SimulatedEnvironment& environment,
                                                     const std::vector<LearnedPolicy>& learned,
                                                     int best_fixed_row, std::uint64_t seed);

// Plays one episode and returns its steps.
absl::StatusOr<std::vector<Step>> PlayEpisode(world::SimulatedEnvironment& environment,
                                              Player& player, std::uint64_t seed, int unit);

// Returns the row of `environment.rows()` with the greatest mean expected reward along these
// episodes as the oracle meets them: the best single fixed plan in hindsight.
absl::StatusOr<int> BestFixedRow(world::SimulatedEnvironment& environment,
                                 const std::vector<std::uint64_t>& seeds);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_PLAYER_H_
