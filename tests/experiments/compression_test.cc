#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "codec/picture.h"
#include "experiments/compression/avif.h"
#include "experiments/compression/curves.h"
#include "experiments/compression/experiment.h"
#include "model/graph_writer.h"
#include "support/temp_dir.h"

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
  EXPECT_THAT(ToText(results), ::testing::Not(HasSubstr("against dddd")));
  results.reference_digest = std::string(64, 'd');
  EXPECT_THAT(ToText(results), HasSubstr("against dddddddddddd;"));
}

// A network of one convolution and its mean, whose answers are `factor` times the picture's
// colours.
void WriteScaled(const std::string& path, float factor) {
  std::vector<float> weights(9, 0);
  for (const std::size_t i : {0, 4, 8}) weights[i] = factor;
  const std::vector<float> bias(3, 0);
  GraphWriter writer("scaled");
  const std::string x = writer.Input("x", {3, 32, 32});
  const std::string conv = writer.Conv("conv", x, 3, 1, 1, 0, {weights, bias});
  writer.Output(writer.Flatten("y", writer.GlobalAveragePool("mean", conv)));
  ASSERT_TRUE(writer.Save(path).ok());
}

TEST(CompressionExperimentTest, AnswersAreComparedWithTheReferences) {
  const testing::TempDir folder;
  WriteScaled(folder.path() + "/one.onnx", 1);
  WriteScaled(folder.path() + "/two.onnx", 2);
  const std::string sidecar = R"({"preprocessing": {"fit": "stretch", "height": 32, "width": 32}})";
  folder.Write("one.json", sidecar);
  folder.Write("two.json", sidecar);
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 32 * 32 * 3; ++i) pixels.push_back(static_cast<std::uint8_t>(i % 3 * 100));
  folder.Write("pictures/a.jpg", *EncodeJpeg(pixels, 32, 32, 95));
  Options options;
  options.model = folder.path() + "/one.onnx";
  options.data.data = folder.path() + "/pictures";
  options.output = folder.path() + "/results.json";
  const auto distortion_of = [](const Results& results, const std::string& name,
                                const std::string& quality) {
    for (const Way& way : results.ways) {
      if (way.name == name && way.quality == quality && way.cut.value_or(1) > 0) {
        return way.costs.distortion.front();
      }
    }
    ADD_FAILURE() << name << " " << quality;
    return -1.0;
  };
  const auto alone = RunExperiment(options, "alone");
  ASSERT_TRUE(alone.ok()) << alone.status();
  options.reference = folder.path() + "/two.onnx";
  const auto compared = RunExperiment(options, "compared");
  ASSERT_TRUE(compared.ok()) << compared.status();
  EXPECT_EQ(compared->reference_digest.size(), 64U);
  // Tensors go through the model itself, whose answers are not the reference's; pictures do not.
  EXPECT_LT(distortion_of(*alone, "integers", "q8"), 1e-3);
  EXPECT_GT(distortion_of(*compared, "integers", "q8"), 1e-2);
  EXPECT_LT(distortion_of(*compared, "jpeg", "95"), 1e-2);
  options.reference = folder.path() + "/none.onnx";
  EXPECT_FALSE(RunExperiment(options, "none").ok());
}

}  // namespace
}  // namespace cleave::experiments::compression
