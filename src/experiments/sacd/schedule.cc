#include "experiments/sacd/schedule.h"

#include <numeric>
#include <random>
#include <utility>

#include "core/shuffle.h"

namespace cleave::experiments::sacd {

std::vector<std::vector<int>> DrawOrder(int policies, int cycles, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<std::vector<int>> order;
  for (int cycle = 0; cycle < cycles; ++cycle) {
    std::vector<int> blocks(static_cast<std::size_t>(policies));
    std::iota(blocks.begin(), blocks.end(), 0);
    Shuffle(blocks, random);
    order.push_back(std::move(blocks));
  }
  return order;
}

}  // namespace cleave::experiments::sacd
