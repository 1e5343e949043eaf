#include "world/jitter.h"

#include <gtest/gtest.h>

#include <cmath>

namespace cleave::world {
namespace {

TEST(MeanOverJitterTest, WithoutJitterItIsTheValue) {
  EXPECT_EQ(MeanOverJitter(0, [](double factor) { return 7 * factor; }), 7);
}

TEST(MeanOverJitterTest, IsNearTheMeansOfALogNormal) {
  const double mean = MeanOverJitter(0.2, [](double factor) { return factor; });
  EXPECT_NEAR(mean, std::exp(0.2 * 0.2 / 2), 0.01);
  // Chance to be above the median by one standard deviation of the logarithm: 16%.
  const double above =
      MeanOverJitter(0.2, [](double factor) { return factor > std::exp(0.2) ? 1.0 : 0.0; });
  EXPECT_NEAR(above, 0.16, 0.03);
}

}  // namespace
}  // namespace cleave::world
