#include "learn/exits_proof.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace cleave {
namespace {

using ::testing::HasSubstr;

const LinearHead kHead = {{1, 2, 3, 4}, {0.5F, 0}, 0, 0};
const std::vector<float> kFeatures = {1, 1, 0, 10};

NamedTensor Named(const std::string& name, const Shape& shape, std::vector<float> values) {
  return {name, *Tensor::FromFloats(shape, std::move(values))};
}

TEST(CheckSameOutputs, EveryBitCounts) {
  const std::vector<NamedTensor> before = {Named("y", {2}, {0, 1}), Named("z", {1}, {2})};
  EXPECT_TRUE(CheckSameOutputs(before, before).ok());
  const std::vector<NamedTensor> signed_zero = {Named("y", {2}, {-0.0F, 1}), before[1]};
  const absl::Status status = CheckSameOutputs(before, signed_zero);
  EXPECT_TRUE(absl::IsInternal(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("output 'y' is not the same"));
  EXPECT_FALSE(CheckSameOutputs(before, std::vector{before[1], before[0]}).ok());
  EXPECT_FALSE(CheckSameOutputs(before, std::vector{before[0]}).ok());
  EXPECT_FALSE(CheckSameOutputs(before, std::vector{Named("y", {1, 2}, {0, 1}), before[1]}).ok());
}

TEST(CheckLogits, TellsTheWorstErrorAsAShareOfTheLargestLogit) {
  const auto exact = CheckLogits(kHead, kFeatures, Named("e", {2, 2}, {3.5F, 7, 20.5F, 40}));
  ASSERT_TRUE(exact.ok()) << exact.status();
  EXPECT_EQ(*exact, 0);
  const auto near = CheckLogits(kHead, kFeatures, Named("e", {2, 2}, {3.5F, 7, 20.5F, 40.002F}));
  ASSERT_TRUE(near.ok()) << near.status();
  EXPECT_NEAR(*near, 5e-5, 1e-6);
}

TEST(CheckLogits, TooFarIsAnError) {
  for (const float wrong : {7.01F, std::numeric_limits<float>::quiet_NaN()}) {
    const auto far = CheckLogits(kHead, kFeatures, Named("e", {2, 2}, {3.5F, wrong, 20.5F, 40}));
    EXPECT_TRUE(absl::IsInternal(far.status()));
    EXPECT_THAT(std::string(far.status().message()), HasSubstr("exit 'e': the file's logits"));
  }
  const auto shape = CheckLogits(kHead, kFeatures, Named("e", {4}, {3.5F, 7, 20.5F, 40}));
  EXPECT_THAT(std::string(shape.status().message()), HasSubstr("found 4, expected FP32 2x2"));
}

}  // namespace
}  // namespace cleave
