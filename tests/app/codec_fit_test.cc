#include "app/codec_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/calibrate.h"
#include "codec/picture.h"
#include "core/file.h"
#include "model/graph_writer.h"
#include "support/temp_dir.h"

namespace cleave::app {
namespace {

using ::testing::HasSubstr;

constexpr int kSide = 32;

// A classifier with a bottleneck behind a convolution and its activation, and pictures of waves.
class CodecFitTest : public ::testing::Test {
 protected:
  CodecFitTest() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.2F);
    const auto weights = [&](std::size_t count) {
      std::vector<float> values(count);
      for (float& value : values) value = normal(random);
      return values;
    };
    GraphWriter writer("net");
    const std::string x = writer.Input("x", {3, kSide, kSide});
    const std::string conv = writer.Conv("conv", x, 8, 4, 4, 0, {weights(8 * 48), weights(8)});
    const std::string relu = writer.Relu("relu", conv);
    const std::string next =
        writer.Conv("next", relu, 16, 3, 1, 1, {weights(16 * 72), weights(16)});
    const std::string mean = writer.GlobalAveragePool("mean", writer.Relu("next_relu", next));
    writer.Output(
        writer.Gemm("logits", writer.Flatten("flat", mean), 3, {weights(48), weights(3)}));
    EXPECT_TRUE(writer.Save(model_).ok());
    EXPECT_TRUE(WriteFileAtomically(
                    folder_ + "/net.json",
                    R"({"preprocessing": {"resize": 32, "mean": [0, 0, 0], "std": [1, 1, 1]}})")
                    .ok());
    for (int i = 0; i < 60; ++i) WritePicture(absl::StrCat("data/", i, ".jpg"), random);
  }

  void WritePicture(const std::string& name, std::mt19937& random) const {
    std::uniform_real_distribution<double> any(0, 0.6);
    std::vector<std::uint8_t> pixels;
    const double a = any(random);
    const double b = any(random);
    const double c = any(random);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        for (int channel = 0; channel < 3; ++channel) {
          pixels.push_back(
              static_cast<std::uint8_t>(128 + 100 * std::sin(a * x + b * y + 10 * c * channel)));
        }
      }
    }
    const auto file = EncodeJpeg(pixels, kSide, kSide, 95);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(WriteFileAtomically(folder_ + "/" + name, *file).ok());
  }

  CodecFitOptions Options() const {
    CodecFitOptions options;
    options.model = model_;
    options.data = folder_ + "/data";
    options.probed_samples_per_band = 1;
    return options;
  }

  std::string Error(const CodecFitOptions& options) const {
    return std::string(FitCodecs(options).status().message());
  }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
  const std::string model_ = folder_ + "/net.onnx";
};

TEST_F(CodecFitTest, FitsTheTensorBehindTheActivationAndMeasuresItsRates) {
  const auto fit = FitCodecs(Options());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_TRUE(fit->pictures);
  ASSERT_TRUE(fit->codecs.contains("relu"));
  EXPECT_FALSE(fit->codecs.contains("conv"));
  for (const FittedTensor& tensor : fit->tensors) {
    EXPECT_EQ(tensor.left_out.empty(), fit->codecs.contains(tensor.tensor)) << tensor.tensor;
  }
  // A quarter of the pictures is left, more or less.
  EXPECT_GT(fit->about.samples, 30);
  EXPECT_LT(fit->about.samples, 58);
  ASSERT_TRUE(
      WriteFileAtomically(CodecFile::PathFor(model_), CodecFile::Write(fit->about, fit->codecs))
          .ok());

  CalibrateOptions calibrate;
  calibrate.model = model_;
  calibrate.data.data = folder_ + "/data";
  calibrate.data.part = SamplePart::kMeasuring;
  const auto calibration = Calibrate(calibrate);
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  EXPECT_EQ(calibration->table.about().samples, 60 - fit->about.samples);
  int coded = 0;
  double last = 1e9;
  for (const AccuracyRow& row : calibration->table.rows()) {
    if (row.plan.cut != 2 || !CodecRate(row.plan.encoding)) continue;
    ++coded;
    EXPECT_GT(row.bytes, 0);
    EXPECT_LE(row.bytes, last);
    EXPECT_EQ(row.entropy_bytes, 0);
    last = row.bytes;
    if (row.plan.encoding == Encoding::kT1) {
      EXPECT_GT(calibration->table.AccuracyOf(row), 0.9);
    }
  }
  EXPECT_EQ(coded, kCodecRates);
}

TEST_F(CodecFitTest, FitsTheTensorThatIsAskedForAlone) {
  CodecFitOptions options = Options();
  options.tensors = {"conv"};
  const auto fit = FitCodecs(options);
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->codecs.size(), 1U);
  EXPECT_TRUE(fit->codecs.contains("conv"));
  options.tensors = {"nothing"};
  EXPECT_THAT(Error(options), HasSubstr("tensor 'nothing'"));
}

TEST_F(CodecFitTest, TheSameDataGivesTheSameCodecs) {
  const auto one = FitCodecs(Options());
  const auto two = FitCodecs(Options());
  ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
  EXPECT_EQ(CodecFile::Write(one->about, one->codecs), CodecFile::Write(two->about, two->codecs));
}

TEST_F(CodecFitTest, RefusesWhatItCannotFitTo) {
  CodecFitOptions options = Options();
  options.data = folder_ + "/nowhere";
  EXPECT_THAT(Error(options), HasSubstr("nowhere"));
  options = Options();
  options.samples = 0;
  EXPECT_THAT(Error(options), HasSubstr("samples: found 0"));
  options.samples = 2;
  EXPECT_THAT(Error(options), HasSubstr("no tensor that a codec can be fitted to"));
}

}  // namespace
}  // namespace cleave::app
