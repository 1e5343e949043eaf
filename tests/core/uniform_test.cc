#include "core/uniform.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace cleave {
namespace {

TEST(UniformTest, IsWithinItsBoundsAndTheSameAgain) {
  std::mt19937_64 random(1);
  std::mt19937_64 again(1);
  double sum = 0;
  double least = 1;
  double most = 0;
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    const double drawn = DrawUniform(random);
    EXPECT_EQ(drawn, DrawUniform(again));
    least = std::min(least, drawn);
    most = std::max(most, drawn);
    sum += drawn / kDraws;
  }
  EXPECT_GE(least, 0);
  EXPECT_LT(least, 0.001);
  EXPECT_LT(most, 1);
  EXPECT_GT(most, 0.999);
  EXPECT_NEAR(sum, 0.5, 0.01);
}

}  // namespace
}  // namespace cleave
