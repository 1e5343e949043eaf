#include "learn/exit_heads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <span>

namespace cleave {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

constexpr int kClasses = 4;
constexpr std::int64_t kWidth = 6;

// Clouds of one class each around a corner of the first features; the last two are noise.
HeadSamples Clouds(int count, std::uint32_t seed, double spread) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  HeadSamples samples;
  samples.width = kWidth;
  for (int i = 0; i < count; ++i) {
    const int label = i % kClasses;
    samples.labels.push_back(label);
    for (int feature = 0; feature < kWidth; ++feature) {
      const double centre = feature == label ? 3 : 0;
      samples.features.push_back(static_cast<float>(centre + spread * normal(random)));
    }
  }
  return samples;
}

HeadOptions Options() {
  HeadOptions options;
  options.classes = kClasses;
  return options;
}

LinearHead Trained(const HeadSamples& samples, const HeadOptions& options = Options()) {
  const auto head = TrainLinearHead(samples, options);
  EXPECT_TRUE(head.ok()) << head.status();
  return head.value_or(LinearHead{});
}

std::vector<double> Logits(const LinearHead& head, const HeadSamples& samples, std::size_t row) {
  return ApplyHead(head, std::span(samples.features).subspan(row * kWidth, kWidth));
}

double Accuracy(const LinearHead& head, const HeadSamples& samples) {
  int right = 0;
  for (std::size_t i = 0; i < samples.labels.size(); ++i) {
    const auto logits = Logits(head, samples, i);
    right += std::max_element(logits.begin(), logits.end()) - logits.begin() == samples.labels[i];
  }
  return right / static_cast<double>(samples.labels.size());
}

// Mean cross-entropy, computed by hand.
double CrossEntropy(const LinearHead& head, const HeadSamples& samples) {
  double sum = 0;
  for (std::size_t i = 0; i < samples.labels.size(); ++i) {
    const auto logits = Logits(head, samples, i);
    double all = 0;
    for (const double logit : logits) all += std::exp(logit);
    sum += std::log(all) - logits[static_cast<std::size_t>(samples.labels[i])];
  }
  return sum / static_cast<double>(samples.labels.size());
}

std::string Error(const HeadSamples& samples, const HeadOptions& options) {
  return std::string(TrainLinearHead(samples, options).status().message());
}

TEST(TrainLinearHead, TellsCloudsApart) {
  const LinearHead head = Trained(Clouds(200, 1, 0.3));
  EXPECT_EQ(Accuracy(head, Clouds(200, 2, 0.3)), 1);
  EXPECT_EQ(head.weights.size(), static_cast<std::size_t>(kClasses * kWidth));
  EXPECT_EQ(head.bias.size(), static_cast<std::size_t>(kClasses));
}

TEST(TrainLinearHead, FindsTheMinimum) {
  const HeadSamples samples = Clouds(200, 1, 2);
  HeadOptions options = Options();
  options.weight_decay = 0;
  const LinearHead head = Trained(samples, options);
  const double least = CrossEntropy(head, samples);
  EXPECT_NEAR(head.loss, least, 1e-5);
  EXPECT_LT(least, std::log(kClasses));
  for (std::size_t i = 0; i < head.weights.size(); ++i) {
    for (const float step : {-0.05F, 0.05F}) {
      LinearHead other = head;
      other.weights[i] += step;
      EXPECT_GT(CrossEntropy(other, samples), least - 1e-6) << i;
    }
  }
}

TEST(TrainLinearHead, TheScaleOfTheFeaturesDoesNotMatter) {
  const HeadSamples samples = Clouds(120, 1, 1.5);
  HeadSamples moved = samples;
  for (std::size_t i = 0; i < moved.features.size(); ++i) {
    const auto feature = static_cast<float>(i % kWidth);
    moved.features[i] = moved.features[i] * (1 + 50 * feature) + 10 * feature;
  }
  const LinearHead head = Trained(samples);
  const LinearHead other = Trained(moved);
  for (std::size_t row = 0; row < samples.labels.size(); ++row) {
    const auto here = Logits(head, samples, row);
    const auto there = Logits(other, moved, row);
    for (std::size_t i = 0; i < here.size(); ++i) EXPECT_NEAR(here[i], there[i], 0.05);
  }
}

TEST(TrainLinearHead, AFeatureThatNeverChangesHasNoWeight) {
  HeadSamples samples = Clouds(80, 1, 1);
  for (std::size_t i = 5; i < samples.features.size(); i += kWidth) samples.features[i] = 7;
  const LinearHead head = Trained(samples);
  for (std::size_t label = 0; label < kClasses; ++label) {
    EXPECT_EQ(head.weights[label * kWidth + 5], 0);
  }
}

TEST(TrainLinearHead, TheSameSamplesGiveTheSameBits) {
  const LinearHead a = Trained(Clouds(100, 1, 1));
  const LinearHead b = Trained(Clouds(100, 1, 1));
  EXPECT_EQ(a.weights, b.weights);
  EXPECT_EQ(a.bias, b.bias);
  EXPECT_NE(a.weights, Trained(Clouds(100, 2, 1)).weights);
}

TEST(TrainLinearHead, WeightDecayShrinksTheWeights) {
  const auto size = [](const LinearHead& head) {
    double sum = 0;
    for (const float weight : head.weights) sum += static_cast<double>(weight * weight);
    return sum;
  };
  HeadOptions strong = Options();
  strong.weight_decay = 1;
  EXPECT_LT(size(Trained(Clouds(100, 1, 1), strong)), size(Trained(Clouds(100, 1, 1))) / 4);
}

TEST(TrainLinearHead, ProgressComesAndCancellingEndsIt) {
  HeadOptions options = Options();
  std::vector<double> shares;
  options.on_progress = [&](double share) {
    shares.push_back(share);
    options.cancel.Cancel();
  };
  EXPECT_TRUE(absl::IsCancelled(TrainLinearHead(Clouds(100, 1, 2), options).status()));
  EXPECT_THAT(shares, ::testing::SizeIs(1));
  EXPECT_THAT(shares, Each(::testing::AllOf(::testing::Gt(0), ::testing::Lt(1))));
}

TEST(TrainLinearHead, WhatDoesNotFitIsNamed) {
  const HeadSamples good = Clouds(8, 1, 1);
  HeadSamples samples = good;
  samples.features.pop_back();
  EXPECT_THAT(Error(samples, Options()), HasSubstr("samples: found 47 numbers, expected 8 x 6"));
  EXPECT_THAT(Error({}, Options()), HasSubstr("samples: found 0"));
  samples = good;
  samples.labels[3] = kClasses;
  EXPECT_THAT(Error(samples, Options()), HasSubstr("label: found 4, expected 0 to 3"));
  samples = good;
  samples.features[3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(Error(samples, Options()), HasSubstr("not finite"));
  HeadOptions options = Options();
  options.classes = 1;
  EXPECT_THAT(Error(good, options), HasSubstr("classes: found 1"));
  options = Options();
  options.weight_decay = -1;
  EXPECT_THAT(Error(good, options), HasSubstr("weight decay: found -1"));
  options = Options();
  options.steps = 0;
  EXPECT_THAT(Error(good, options), HasSubstr("steps: found 0"));
}

}  // namespace
}  // namespace cleave
