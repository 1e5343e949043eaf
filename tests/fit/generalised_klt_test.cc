#include "fit/generalised_klt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace cleave {
namespace {

using ::testing::HasSubstr;

SymmetricMatrix Matrix2(double a, double b, double c) { return {2, {a, b, b, c}}; }

TEST(GeneralisedKltTest, InverseUndoesForward) {
  const Basis basis = *GeneralisedKlt(Matrix2(5, 2, 3), Matrix2(4, -1, 0.5));
  // Channels that become components become channels again.
  for (int from = 0; from < 2; ++from) {
    for (int to = 0; to < 2; ++to) {
      double sum = 0;
      for (int i = 0; i < 2; ++i) sum += basis.forward[i * 2 + from] * basis.inverse[i * 2 + to];
      EXPECT_NEAR(sum, from == to ? 1 : 0, 1e-5);
    }
  }
}

TEST(GeneralisedKltTest, ComponentsAreUncorrelatedAndTheirErrorsCountEqually) {
  const SymmetricMatrix covariance = Matrix2(5, 2, 3);
  const SymmetricMatrix sensitivity = Matrix2(4, -1, 0.5);
  const Basis basis = *GeneralisedKlt(covariance, sensitivity);
  EXPECT_GE(basis.variance[0], basis.variance[1]);
  const double ridge = 1e-3 * (4 + 0.5) / 2;
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 2; ++j) {
      double product = 0;
      double cost = 0;
      for (int a = 0; a < 2; ++a) {
        for (int b = 0; b < 2; ++b) {
          product +=
              basis.forward[i * 2 + a] * covariance.values[a * 2 + b] * basis.forward[j * 2 + b];
          cost += basis.inverse[i * 2 + a] *
                  (sensitivity.values[a * 2 + b] + (a == b ? ridge : 0)) * basis.inverse[j * 2 + b];
        }
      }
      EXPECT_NEAR(product, i == j ? basis.variance[i] : 0, 1e-4);
      EXPECT_NEAR(cost, i == j ? 1 : 0, 1e-4);
    }
  }
}

TEST(GeneralisedKltTest, RefusesWhatHasNoBasis) {
  EXPECT_THAT(std::string(GeneralisedKlt(Matrix2(1, 0, 1), {1, {1}}).status().message()),
              HasSubstr("found one of 1 channels, expected 2"));
  EXPECT_THAT(std::string(GeneralisedKlt(Matrix2(1, 0, 1), Matrix2(0, 0, 0)).status().message()),
              HasSubstr("sensitivity: found 0"));
}

}  // namespace
}  // namespace cleave
