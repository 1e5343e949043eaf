#ifndef CLEAVE_CORE_SHUFFLE_H_
#define CLEAVE_CORE_SHUFFLE_H_

#include <cstddef>
#include <random>
#include <utility>
#include <vector>

namespace cleave {

// Puts the values into a random order, which is the same on every machine for the same state of
// `random`; that of std::shuffle is not.
template <typename Value>
void Shuffle(std::vector<Value>& values, std::mt19937_64& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[static_cast<std::size_t>(random() % left)]);
  }
}

}  // namespace cleave

#endif  // CLEAVE_CORE_SHUFFLE_H_
