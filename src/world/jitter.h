#ifndef CLEAVE_WORLD_JITTER_H_
#define CLEAVE_WORLD_JITTER_H_

#include <array>
#include <cmath>

namespace cleave::world {

// Mean of `f(factor)` over a log-normal factor, `deviation` being that of its logarithm: by seven
// quantiles of equal weight.
template <typename Function>
double MeanOverJitter(double deviation, Function f) {
  if (deviation <= 0) return f(1.0);
  // The quantiles of the normal distribution at (i + 1/2) / 7.
  constexpr std::array<double, 7> kQuantiles = {-1.4652, -0.7916, -0.3661, 0,
                                                0.3661,  0.7916,  1.4652};
  double sum = 0;
  for (const double quantile : kQuantiles) sum += f(std::exp(deviation * quantile));
  return sum / kQuantiles.size();
}

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_JITTER_H_
