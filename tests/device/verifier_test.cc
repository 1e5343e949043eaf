#include "device/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace cleave {
namespace {

Tensor Floats(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::FromFloats({count}, std::move(values)).value();
}

TEST(RelativeDifference, IsAShareOfTheGreatestMagnitude) {
  EXPECT_EQ(RelativeDifference(Floats({1, -4}), Floats({1, -4})), 0);
  EXPECT_EQ(RelativeDifference(Floats({1, -4}), Floats({2, -4})), 1.0);
  EXPECT_NEAR(RelativeDifference(Floats({0, 100, 1}), Floats({0, 99, 1})).value(), 0.01, 1e-9);
  constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(RelativeDifference(Floats({kNaN, 1}), Floats({kNaN, 1})), 0);
  EXPECT_TRUE(std::isinf(RelativeDifference(Floats({0, 1}), Floats({kNaN, 1})).value()));
}

TEST(RelativeDifference, NeedsTheSameFloats) {
  EXPECT_EQ(RelativeDifference(Floats({1}), Floats({1, 2})), std::nullopt);
  const Tensor whole = Tensor::Zeros(DataType::kInt64, {1}).value();
  EXPECT_EQ(RelativeDifference(whole, whole), std::nullopt);
  EXPECT_EQ(RelativeDifference(Floats({1}), whole), std::nullopt);
}

TEST(Verifier, SaysNothingOfWhatWasNotAnsweredOrNotDrawn) {
  const RemoteRequest request;
  RemoteAnswer unanswered;
  unanswered.status = absl::UnavailableError("no edge");
  EXPECT_FALSE(Verifier(1, 1).Verify(0, request, unanswered).has_value());
  EXPECT_FALSE(Verifier(0, 1).Verify(0, request, RemoteAnswer()).has_value());
}

}  // namespace
}  // namespace cleave
