#include "device/confidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace cleave {
namespace {

using ::testing::HasSubstr;

ConfidenceRule Rule(const char* text) { return **ConfidenceRule::Parse(text); }

TEST(ConfidenceRuleTest, ReadsBothMeasures) {
  EXPECT_FALSE(ConfidenceRule::Parse("")->has_value());
  EXPECT_EQ(Rule("0.9").measure, ConfidenceRule::Measure::kSoftmax);
  EXPECT_EQ(Rule("softmax:0.75").threshold, 0.75);
  EXPECT_EQ(Rule("entropy:1.5").measure, ConfidenceRule::Measure::kEntropy);
  EXPECT_EQ(Rule("entropy:1.5").threshold, 1.5);
}

TEST(ConfidenceRuleTest, RefusesOthers) {
  for (const char* text : {"sure", "1.5", "-0.1", "nan", "entropy:", "entropy:inf", "softmax:2"}) {
    const auto rule = ConfidenceRule::Parse(text);
    EXPECT_TRUE(absl::IsInvalidArgument(rule.status())) << text;
    EXPECT_THAT(rule.status().message(), HasSubstr(text));
  }
}

TEST(ConfidenceRuleTest, MeasuresProbabilities) {
  const std::vector<float> logits = {std::log(0.5F), std::log(0.25F), std::log(0.25F)};
  EXPECT_NEAR(Rule("0.5").Of(logits), 0.5, 1e-6);
  EXPECT_NEAR(Rule("entropy:1").Of(logits), 0.5 * std::log(2) + 0.5 * std::log(4), 1e-6);
}

TEST(ConfidenceRuleTest, HugeLogitsAreNoTrouble) {
  const std::vector<float> sure = {3e38F, -3e38F};
  EXPECT_EQ(Rule("0.5").Of(sure), 1);
  EXPECT_EQ(Rule("entropy:1").Of(sure), 0);
}

TEST(ConfidenceRuleTest, ABatchIsAsSureAsItsLeastSureItem) {
  const Tensor logits = *Tensor::FromFloats({2, 2}, {9, 0, 1, 1});
  EXPECT_NEAR(*Rule("0.9").OfBatch(logits), 0.5, 1e-6);
  EXPECT_FALSE(Rule("0.9").Sure(*Rule("0.9").OfBatch(logits)));
  EXPECT_NEAR(*Rule("entropy:0.1").OfBatch(logits), std::log(2), 1e-6);
  EXPECT_FALSE(Rule("entropy:0.1").Sure(*Rule("entropy:0.1").OfBatch(logits)));
}

TEST(ConfidenceRuleTest, WhatAreNoLogitsIsRefused) {
  EXPECT_FALSE(Rule("0.9").OfBatch(*Tensor::FromFloats({2}, {1, 2})).ok());
  EXPECT_FALSE(Rule("0.9").OfBatch(*Tensor::FromFloats({0, 2}, {})).ok());
  EXPECT_FALSE(Rule("0.9").OfBatch(*Tensor::Zeros(DataType::kInt64, {1, 2})).ok());
}

}  // namespace
}  // namespace cleave
