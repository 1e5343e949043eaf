#ifndef CLEAVE_CORE_UNIFORM_H_
#define CLEAVE_CORE_UNIFORM_H_

#include <random>

namespace cleave {

// Draws a number that is uniform in [0, 1), of 53 bits, as std::uniform_real_distribution has them;
// that one's result is not the same on every machine.
inline double DrawUniform(std::mt19937_64& random) {
  return static_cast<double>(random() >> 11) * 0x1p-53;
}

}  // namespace cleave

#endif  // CLEAVE_CORE_UNIFORM_H_
