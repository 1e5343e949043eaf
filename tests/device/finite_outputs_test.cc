#include "device/finite_outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

namespace cleave {
namespace {

using ::testing::HasSubstr;

Tensor Floats(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return Tensor::FromFloats({count}, std::move(values)).value();
}

// A tensor of 16-bit elements.
Tensor Halves(DataType dtype, const std::vector<std::uint16_t>& values) {
  std::string bytes(values.size() * 2, '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return Tensor::FromBytes(dtype, {static_cast<std::int64_t>(values.size())}, std::move(bytes))
      .value();
}

TEST(IsFinite, FindsNaNAndInfinityInEveryFloat) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(IsFinite(Floats({0, -1, std::numeric_limits<float>::max()})));
  EXPECT_FALSE(IsFinite(Floats({0, kInfinity})));
  EXPECT_FALSE(IsFinite(Floats({-kInfinity})));
  EXPECT_FALSE(IsFinite(Floats({1, 2, std::numeric_limits<float>::quiet_NaN()})));
  EXPECT_TRUE(IsFinite(Halves(DataType::kFloat16, {0x0000, 0x7bff, 0xfbff})));
  EXPECT_FALSE(IsFinite(Halves(DataType::kFloat16, {0x0000, 0x7c00})));
  EXPECT_FALSE(IsFinite(Halves(DataType::kFloat16, {0xfe00})));
  EXPECT_TRUE(IsFinite(Halves(DataType::kBFloat16, {0x7c00, 0x7f7f})));
  EXPECT_FALSE(IsFinite(Halves(DataType::kBFloat16, {0x7f80})));
  const std::uint64_t infinity = 0x7ff0000000000000U;
  std::string bytes(sizeof(infinity), '\0');
  std::memcpy(bytes.data(), &infinity, sizeof(infinity));
  EXPECT_FALSE(IsFinite(Tensor::FromBytes(DataType::kFloat64, {1}, bytes).value()));
  EXPECT_TRUE(IsFinite(Tensor::FromBytes(DataType::kInt64, {1}, bytes).value()));
}

TEST(FiniteOutputs, RefusesWhatNoRunOfTheModelHasGiven) {
  const NamedTensor nan{"y", Floats({std::numeric_limits<float>::quiet_NaN()})};
  const NamedTensor fine{"y", Floats({1})};
  FiniteOutputs outputs;
  EXPECT_TRUE(outputs.Check({fine}).ok());
  const absl::Status refused = outputs.Check({fine, nan});
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("output 'y': found NaN or infinity"));
  outputs.Learn({fine});
  EXPECT_FALSE(outputs.Check({nan}).ok());
  outputs.Learn({nan});
  EXPECT_TRUE(outputs.Check({nan}).ok()) << "the model gives such values by itself";
  EXPECT_FALSE(outputs.Check({{"z", nan.tensor}}).ok()) << "of another output nothing is known";
}

}  // namespace
}  // namespace cleave
