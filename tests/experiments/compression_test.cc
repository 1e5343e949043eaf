#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "experiments/compression/avif.h"
#include "experiments/compression/curves.h"
#include "experiments/compression/experiment.h"

namespace cleave::experiments::compression {
namespace {

using ::testing::HasSubstr;

// Bytes that halve where the distortion doubles, of pictures that differ by a factor.
Curve Halving(double bytes, double exponent = 1) {
  Curve curve;
  for (const double distortion : {1.0, 2.0, 4.0, 8.0}) {
    Costs costs;
    for (const double factor : {0.5, 1.0, 1.5}) {
      costs.bytes.push_back(factor * bytes * std::pow(distortion, -exponent));
      costs.distortion.push_back(distortion);
    }
    curve.push_back(costs);
  }
  return curve;
}

TEST(MeanRatioTest, IsTheFactorBetweenCurvesOfOneForm) {
  EXPECT_NEAR(*MeanRatio(Halving(300), Halving(1000)), 0.3, 1e-9);
  EXPECT_NEAR(*MeanRatio(Halving(1000), Halving(1000)), 1, 1e-9);
  // One is 1 at distortion 1 and half at 8: the mean of the logarithms is in the middle.
  EXPECT_NEAR(*MeanRatio(Halving(1000, 1 + 1.0 / 3), Halving(1000)), std::sqrt(0.5), 1e-6);
}

TEST(MeanRatioTest, OnlyTheDistortionsOfBothCount) {
  Curve few = Halving(500);
  few.erase(few.begin());
  EXPECT_NEAR(*MeanRatio(few, Halving(1000)), 0.5, 1e-9);
  Curve elsewhere = Halving(500);
  for (Costs& costs : elsewhere) {
    for (double& distortion : costs.distortion) distortion *= 100;
  }
  EXPECT_FALSE(MeanRatio(elsewhere, Halving(1000)));
  EXPECT_FALSE(MeanRatio({}, Halving(1000)));
}

TEST(MeanRatioTest, AQualityThatIsWorseInBothIsLeftOut) {
  Curve curve = Halving(300);
  curve.push_back(curve.front());
  for (double& bytes : curve.back().bytes) bytes *= 10;
  for (double& distortion : curve.back().distortion) distortion *= 3;
  EXPECT_NEAR(*MeanRatio(curve, Halving(1000)), 0.3, 1e-9);
}

TEST(MeanRatioTest, TheIntervalHoldsTheRatioAndIsTheSameAgain) {
  Curve of = Halving(300);
  for (Costs& costs : of) costs.bytes[2] *= 1.3;
  const double ratio = *MeanRatio(of, Halving(1000));
  const RatioInterval interval = *RatioIntervalOf(of, Halving(1000), 1);
  EXPECT_LT(interval.low, ratio);
  EXPECT_GT(interval.high, ratio);
  EXPECT_EQ(RatioIntervalOf(of, Halving(1000), 1)->low, interval.low);
}

TEST(AvifTest, DecodesToAboutThePixels) {
  std::vector<std::uint8_t> pixels;
  for (int y = 0; y < 48; ++y) {
    for (int x = 0; x < 64; ++x) {
      for (const int value : {4 * x, 5 * y, 128})
        pixels.push_back(static_cast<std::uint8_t>(value));
    }
  }
  std::size_t last = 0;
  for (const int quality : {20, 90}) {
    const auto file = EncodeAvif(pixels, 48, 64, quality);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_GT(file->size(), last);
    last = file->size();
    const auto decoded = DecodeAvif(*file);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ASSERT_EQ(decoded->size(), pixels.size());
    double difference = 0;
    for (std::size_t i = 0; i < pixels.size(); ++i)
      difference += std::abs(pixels[i] - (*decoded)[i]);
    EXPECT_LT(difference / static_cast<double>(pixels.size()), quality == 90 ? 3 : 12);
  }
  EXPECT_FALSE(DecodeAvif("no picture").ok());
}

TEST(CompressionReportTest, SaysTheRatiosToProgramsAndPeople) {
  Results results;
  results.model = "net.onnx";
  results.digest = std::string(64, 'a');
  results.codec_digest = std::string(64, 'b');
  results.data_digest = std::string(64, 'c');
  results.samples = 3;
  results.network_us = 50000;
  Way way;
  way.name = "codec";
  way.cut = 11;
  way.quality = "t3";
  way.costs = Halving(300).front();
  way.encode_us = 2500;
  way.accuracy.right = 2;
  results.ways = {way};
  results.savings = {{"codec", 11, "jpeg", 0.25, {0.2, 0.3}}};
  EXPECT_THAT(ToText(results), HasSubstr("| codec | 11 |"));
  EXPECT_THAT(ToText(results), HasSubstr("0.200 to 0.300"));
  EXPECT_THAT(ToText(results), HasSubstr("5.0%"));
  EXPECT_THAT(ToJson(results), HasSubstr("\"ratio\": 0.25"));
  EXPECT_THAT(ToHtml(results), HasSubstr("<svg"));
}

}  // namespace
}  // namespace cleave::experiments::compression
