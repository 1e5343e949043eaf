#include "learn/bottleneck_curve.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cleave {
namespace {

// Distortion grows with the bytes to the power of -1.5.
RateCurve PowerLaw() {
  std::vector<RatePoint> points;
  for (int rate = 0; rate < 6; ++rate) {
    const double bytes = 8000 * std::exp2(-rate);
    points.push_back({static_cast<double>(rate), 1e6 * std::pow(bytes, -1.5), bytes});
  }
  return RateCurve(points);
}

TEST(RateCurveTest, PointsBetweenLieOnTheLineOfLogarithms) {
  const RatePoint between = PowerLaw().At(1.5);
  EXPECT_NEAR(between.bytes, 8000 * std::exp2(-1.5), 1e-6);
  EXPECT_NEAR(between.distortion, 1e6 * std::pow(between.bytes, -1.5), 1e-9);
}

TEST(RateCurveTest, BytesForADistortionAreFoundAndExtended) {
  for (const double bytes : {20'000.0, 8000.0, 1234.0, 100.0}) {
    EXPECT_NEAR(PowerLaw().BytesFor(1e6 * std::pow(bytes, -1.5)), bytes, 1e-6 * bytes);
  }
}

TEST(RateCurveTest, LambdaIsTheSlope) {
  // D = 1e6 B^-1.5: -dD / d(8 B) = 1.5 D / (8 B).
  for (const double rate : {0.0, 2.3, 5.0}) {
    const RatePoint at = PowerLaw().At(rate);
    EXPECT_NEAR(PowerLaw().Lambda(rate), 1.5 * at.distortion / (8 * at.bytes), 1e-12);
  }
}

TEST(RateCurveTest, LambdaIsAboveZeroWhateverChanceMeasured) {
  const RateCurve curve({{0, 2, 900}, {1, 1, 950}, {2, 3, 700}, {3, 2.5, 600}});
  for (const double rate : {0.0, 0.5, 1.5, 2.5, 3.0}) EXPECT_GT(curve.Lambda(rate), 0) << rate;
  EXPECT_LT(curve.BytesFor(4), curve.BytesFor(2.5));
}

TEST(RateCurveTest, TheShareIsTheGeometricMean) {
  std::vector<RatePoint> points = {PowerLaw().At(1), PowerLaw().At(4)};
  EXPECT_NEAR(MeanShare(points, PowerLaw()), 1, 1e-9);
  points[0].bytes *= 0.5;
  points[1].bytes *= 0.5;
  EXPECT_NEAR(MeanShare(points, PowerLaw()), 0.5, 1e-9);
}

}  // namespace
}  // namespace cleave
