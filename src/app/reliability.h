#ifndef CLEAVE_APP_RELIABILITY_H_
#define CLEAVE_APP_RELIABILITY_H_

#include <cstdint>
#include <string>

namespace cleave::app {

inline constexpr double kConfidence = 0.95;

// A share of successes with its exact interval at kConfidence (Clopper and Pearson 1934).
struct Reliability {
  double share = 0;
  double low = 0;
  double high = 1;
};

// REQUIRES: 0 <= successes <= trials, trials >= 1.
Reliability ReliabilityOf(std::int64_t successes, std::int64_t trials);

// Returns how many nines a share has: 0.999 has three. It is infinite for 1.
double Nines(double share);

// Returns "99.90% (95% interval 99.44% to 99.998%), 3.0 nines, at least 2.3".
std::string ReliabilityText(const Reliability& reliability);

}  // namespace cleave::app

#endif  // CLEAVE_APP_RELIABILITY_H_
