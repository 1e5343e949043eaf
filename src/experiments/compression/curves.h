#ifndef CLEAVE_EXPERIMENTS_COMPRESSION_CURVES_H_
#define CLEAVE_EXPERIMENTS_COMPRESSION_CURVES_H_

#include <cstdint>
#include <optional>
#include <vector>

namespace cleave::experiments::compression {

// What one way of sending costs for each sample: at one quality.
struct Costs {
  std::vector<double> bytes;
  std::vector<double> distortion;
};

// A curve of bytes against distortion: qualities in any order, each with the same samples.
using Curve = std::vector<Costs>;

// The mean ratio of the bytes that two ways take for the same distortion, in the manner of
// Bjøntegaard (VCEG-M33): exp of the mean, over the logarithm of the distortion where both curves
// have some, of the difference of the logarithms of the bytes; between its points a curve is a line
// of these logarithms. Bytes and distortions are means over the samples, of which sample i counts
// `times[i]` times (all once, if it is empty). Nothing where the curves do not overlap.
std::optional<double> MeanRatio(const Curve& of, const Curve& to,
                                const std::vector<int>& times = {});

// The bounds of a 95% interval of it, by 200 bootstrap samples. The same seed gives the same.
struct RatioInterval {
  double low = 0;
  double high = 0;
};
std::optional<RatioInterval> RatioIntervalOf(const Curve& of, const Curve& to, std::uint64_t seed);

}  // namespace cleave::experiments::compression

#endif  // CLEAVE_EXPERIMENTS_COMPRESSION_CURVES_H_
