#ifndef CLEAVE_EXPERIMENTS_SACD_TABLE_H_
#define CLEAVE_EXPERIMENTS_SACD_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/sacd/results.h"

namespace cleave::experiments::sacd {

// What one policy did: the steps of each of its files (one list for a policy without).
struct Played {
  std::string policy;
  std::vector<std::string> files;
  std::vector<std::vector<Step>> steps;
};

// Returns a row for each, in the same order. Steps of the same unit are drawn together, and with
// those of `random` and `oracle` in the normalized reward, which is 0 where one of the two was not
// played. Intervals are percentiles of a bootstrap that `seed` draws.
std::vector<Row> MakeRows(const std::vector<Played>& played, std::uint64_t seed);

// Returns the shares of plans in octaves of the true rate.
Mix MixOf(const std::string& policy, const std::vector<std::vector<Step>>& files);

// Returns the errors of all steps that were replayed, did not fall back and were not answered by a
// hedge.
Replay ReplayOf(const std::vector<Step>& steps);

// Returns the rows that both have, by mean reward.
Ranking Rank(const std::vector<Row>& simulated, const std::vector<Row>& real);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_TABLE_H_
