#ifndef CLEAVE_EXPERIMENTS_SACD_SCHEDULE_H_
#define CLEAVE_EXPERIMENTS_SACD_SCHEDULE_H_

#include <cstdint>
#include <vector>

namespace cleave::experiments::sacd {

// Returns the blocks of the policies 0..n-1 in each cycle: each policy once a cycle, in an order of
// its own that the seed gives.
std::vector<std::vector<int>> DrawOrder(int policies, int cycles, std::uint64_t seed);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_SCHEDULE_H_
