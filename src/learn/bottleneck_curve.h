#ifndef CLEAVE_LEARN_BOTTLENECK_CURVE_H_
#define CLEAVE_LEARN_BOTTLENECK_CURVE_H_

#include <vector>

#include "learn/train_bottleneck.h"

namespace cleave {

// What a codec costs at every rate: distortion and bytes, whose logarithms are lines between its
// points. A plain value.
class RateCurve {
 public:
  RateCurve() = default;
  // Where chance made a coarser rate better or longer than a finer one, it takes that one's value,
  // a thousandth worse. REQUIRES: at least two points, rates ascending, distortion and bytes above
  // 0.
  explicit RateCurve(std::vector<RatePoint> points);

  const std::vector<RatePoint>& points() const { return points_; }

  RatePoint At(double rate) const;
  // The bytes for this distortion; beyond the ends, the last line goes on.
  double BytesFor(double distortion) const;
  // What a bit is worth in distortion where one more of either costs as much as it brings: minus
  // the curve's slope.
  double Lambda(double rate) const;

 private:
  std::vector<RatePoint> points_;
};

// The geometric mean of the points' bytes as shares of the curve's for the same distortion.
double MeanShare(const std::vector<RatePoint>& points, const RateCurve& curve);

}  // namespace cleave

#endif  // CLEAVE_LEARN_BOTTLENECK_CURVE_H_
