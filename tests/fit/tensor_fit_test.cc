#include "fit/tensor_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "codec/codec_file.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

constexpr int kChannels = 6;
constexpr int kSide = 16;

// Smooth planes: channel 1 is nearly channel 0, the others are waves of their own.
std::vector<Tensor> Samples(int count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> noise(0, 0.02F);
  std::uniform_real_distribution<float> phase(0, 6);
  std::vector<Tensor> samples;
  for (int n = 0; n < count; ++n) {
    std::vector<float> values;
    std::vector<float> first;
    for (int channel = 0; channel < kChannels; ++channel) {
      const float a = phase(random);
      const float b = phase(random) / 10;
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          const float wave = std::sin(a + b * static_cast<float>(x) + 0.3F * static_cast<float>(y));
          const std::size_t at = static_cast<std::size_t>(y) * kSide + static_cast<std::size_t>(x);
          values.push_back((channel == 1 ? first[at] : wave) + noise(random));
          if (channel == 0) first.push_back(values.back());
        }
      }
    }
    samples.push_back(*Tensor::FromFloats({1, kChannels, kSide, kSide}, std::move(values)));
  }
  return samples;
}

// A tail that looks at the channels with these weights.
struct LinearTail {
  const std::vector<Tensor>& samples;
  std::vector<float> weights = {3, 0.1F, 1, 1, 0, 0.5F};

  std::vector<float> Change(const Tensor& before, const Tensor& after) const {
    std::vector<float> change;
    for (std::size_t i = 0; i < before.floats().size(); ++i) {
      change.push_back(weights[i / (kSide * kSide)] * (after.floats()[i] - before.floats()[i]));
    }
    return change;
  }
  absl::StatusOr<Response> operator()(std::size_t sample, const Tensor& changed) const {
    return Sketch(Change(samples[sample], changed));
  }
};

double Mean(const TensorCodec& codec, const std::vector<Tensor>& samples, const LinearTail& tail,
            int rate, double& bytes) {
  double distortion = 0;
  for (const Tensor& sample : samples) {
    const auto coded = codec.Encode(sample, rate);
    EXPECT_TRUE(coded.ok()) << coded.status();
    const auto decoded = codec.Decode(coded->bytes, sample.shape(), rate);
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    bytes += static_cast<double>(coded->bytes.size()) / static_cast<double>(samples.size());
    distortion +=
        Sketch(tail.Change(sample, *decoded)).squared / static_cast<double>(samples.size());
  }
  return distortion;
}

TensorFitOptions Options() {
  TensorFitOptions options;
  options.finest_distortion = 0.5;
  options.probed_samples_per_band = 1;
  return options;
}

class TensorFitTest : public ::testing::Test {
 protected:
  const std::vector<Tensor> samples_ = Samples(40, 1);
  const LinearTail tail_{samples_};
};

TEST_F(TensorFitTest, RatesTradeBytesForDistortionOnNewSamples) {
  const auto parameters = FitTensorCodec(samples_, tail_, Options());
  ASSERT_TRUE(parameters.ok()) << parameters.status();
  const TensorCodec codec = *TensorCodec::Create(*parameters);
  const std::vector<Tensor> fresh = Samples(20, 2);
  double last_bytes = 1e9;
  double last_distortion = 0;
  for (int rate = 0; rate < kCodecRates; ++rate) {
    double bytes = 0;
    const double distortion = Mean(codec, fresh, tail_, rate, bytes);
    EXPECT_LT(bytes, last_bytes) << rate;
    EXPECT_GT(distortion, last_distortion) << rate;
    if (rate == 0) {
      EXPECT_GT(distortion, 0.2);
      EXPECT_LT(distortion, 1.2);
    }
    EXPECT_NEAR(bytes, parameters->rates[rate].mean_bytes * kChannels * kSide * kSide, 0.2 * bytes);
    last_bytes = bytes;
    last_distortion = distortion;
  }
}

TEST_F(TensorFitTest, SpendsNothingOnWhatTheOutputsDoNotSee) {
  const auto parameters = FitTensorCodec(samples_, tail_, Options());
  ASSERT_TRUE(parameters.ok()) << parameters.status();
  const TensorCodec codec = *TensorCodec::Create(*parameters);
  const Tensor& sample = samples_.front();
  const Tensor decoded = *codec.Decode(codec.Encode(sample, 3)->bytes, sample.shape(), 3);
  // Channel 0 counts three times as much as channel 2, and channel 4 not at all.
  std::vector<double> squared(kChannels);
  for (std::size_t i = 0; i < sample.floats().size(); ++i) {
    squared[i / (kSide * kSide)] += std::pow(decoded.floats()[i] - sample.floats()[i], 2);
  }
  EXPECT_LT(squared[0], squared[2]);
  EXPECT_GT(squared[4], 4 * squared[2]);
}

TEST_F(TensorFitTest, TheSameSamplesGiveTheSameCodec) {
  const auto one = FitTensorCodec(samples_, tail_, Options());
  const auto two = FitTensorCodec(samples_, tail_, Options());
  ASSERT_TRUE(one.ok() && two.ok());
  CodecFile::About about;
  about.model_digest = about.data_digest = std::string(64, 'a');
  about.samples = 40;
  EXPECT_EQ(CodecFile::Write(about, {{"t", *one}}), CodecFile::Write(about, {{"t", *two}}));
}

TEST_F(TensorFitTest, KnowsWhatItWasNotFittedTo) {
  const auto parameters = FitTensorCodec(samples_, tail_, Options());
  ASSERT_TRUE(parameters.ok()) << parameters.status();
  const TensorCodec codec = *TensorCodec::Create(*parameters);
  EXPECT_FALSE(codec.Encode(samples_.front(), 0)->unfamiliar);
  std::mt19937 random(3);
  std::normal_distribution<float> noise(5, 30);
  std::vector<float> values(kChannels * kSide * kSide);
  for (float& value : values) value = noise(random);
  const Tensor strange = *Tensor::FromFloats({1, kChannels, kSide, kSide}, values);
  const auto coded = codec.Encode(strange, 0);
  ASSERT_TRUE(coded.ok()) << coded.status();
  EXPECT_TRUE(coded->unfamiliar);
  const auto decoded = codec.Decode(coded->bytes, strange.shape(), 0);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  // What the outputs see is as near as ever, in spite of the escapes.
  EXPECT_LT(Sketch(tail_.Change(strange, *decoded)).squared, 20);
}

TEST_F(TensorFitTest, RefusesWhatItCannotFitTo) {
  const auto error = [&](const std::vector<Tensor>& samples) {
    return std::string(FitTensorCodec(samples, tail_, Options()).status().message());
  };
  EXPECT_THAT(error({}), HasSubstr("samples: found none"));
  EXPECT_THAT(error({*Tensor::Zeros(DataType::kInt32, {1, 4, 8, 8})}), HasSubstr("found INT32"));
  EXPECT_THAT(error({samples_[0], *Tensor::Zeros(DataType::kFloat32, {1, 4, 8, 8})}),
              HasSubstr("expected FP32 1x6x16x16"));
  EXPECT_THAT(error({samples_[0]}), HasSubstr("expected 4 blocks for each of the 6 channels"));
  EXPECT_THAT(error(std::vector<Tensor>(20, *Tensor::Zeros(DataType::kFloat32, {1, 2, 8, 8}))),
              HasSubstr("the same value everywhere"));
  TensorFitOptions options = Options();
  options.finest_distortion = 0;
  EXPECT_THAT(std::string(FitTensorCodec(samples_, tail_, options).status().message()),
              HasSubstr("finest_distortion: found 0"));
}

TEST(SketchTest, KeepsLengthsAndAngles) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  std::vector<float> a(100000);
  std::vector<float> b(100000);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = normal(random);
    b[i] = a[i] + normal(random);
  }
  const Response of_a = Sketch(a);
  const Response of_b = Sketch(b);
  double product = 0;
  double square = 0;
  for (std::size_t i = 0; i < kSketchSize; ++i) {
    product += of_a.sketch[i] * of_b.sketch[i];
    square += of_a.sketch[i] * of_a.sketch[i];
  }
  EXPECT_NEAR(square / of_a.squared, 1, 0.03);
  EXPECT_NEAR(product / of_a.squared, 1, 0.05);
}

}  // namespace
}  // namespace cleave
