#include "learn/codec_model.h"

#include <ATen/CPUGeneratorImpl.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "core/shuffle.h"
#include "fit/coefficient_fit.h"
#include "fit/tensor_fit.h"
#include "learn/torch_graph.h"

namespace cleave {
namespace {

constexpr int kChannels = 3;

// Smooth planes of two signals that the channels mix, whose sides blocks do not divide.
Tensor Smooth(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  const float a = normal(random);
  const float b = normal(random);
  std::vector<float> values;
  for (int channel = 0; channel < kChannels; ++channel) {
    for (int y = 0; y < 14; ++y) {
      for (int x = 0; x < 18; ++x) {
        const float wave = std::sin(a + 0.3F * static_cast<float>(x + channel * y));
        values.push_back(a + b * wave + 0.1F * normal(random) + static_cast<float>(channel));
      }
    }
  }
  return *Tensor::FromFloats({1, kChannels, 14, 18}, std::move(values));
}

// A codec that was fitted to such, where the outputs are the tensor itself.
TensorCodecParameters Fitted() {
  std::vector<Tensor> samples;
  for (std::uint32_t seed = 0; seed < 24; ++seed) samples.push_back(Smooth(seed));
  TensorFitOptions options;
  options.finest_distortion = 1;
  const auto codec = FitTensorCodec(
      samples,
      [&](std::size_t sample, const Tensor& changed) -> absl::StatusOr<Response> {
        std::vector<float> change;
        for (std::size_t i = 0; i < changed.floats().size(); ++i) {
          change.push_back(changed.floats()[i] - samples[sample].floats()[i]);
        }
        return Sketch(change);
      },
      options);
  EXPECT_TRUE(codec.ok()) << codec.status();
  return codec.value_or(TensorCodecParameters());
}

SentTensor Send(const CodecModel& model, const torch::Tensor& x, double rate, CodecModel::Use use) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(1);
  return model.Send(x, rate, use, model.parameters(), generator);
}

TEST(CodecModelTest, WhatArrivesIsWhatTheCodecGives) {
  const TensorCodecParameters parameters = Fitted();
  const auto codec = TensorCodec::Create(parameters);
  ASSERT_TRUE(codec.ok()) << codec.status();
  const CodecModel model(parameters);
  const Tensor sample = Smooth(100);
  const auto layout = codec->LayoutOf(sample.shape());
  ASSERT_TRUE(layout.ok()) << layout.status();
  for (const int rate : {0, 3, 5}) {
    const float step = parameters.rates[static_cast<std::size_t>(rate)].step;
    std::vector<float> components(layout->coefficients());
    codec->Project(*layout, sample.floats(), 1 / step, components);
    for (float& value : components) {
      value = std::copysign(std::floor(std::abs(value) + kDeadZoneRounding), value);
    }
    std::vector<float> expected(layout->item_elements());
    codec->Reconstruct(*layout, components, step, expected);
    const SentTensor sent = Send(model, ToTorch(sample), rate, CodecModel::Use::kMeasuring);
    const torch::Tensor right = ToTorch(*Tensor::FromFloats(sample.shape(), expected));
    EXPECT_LT((sent.tensor - right).abs().max().item<float>(), 1e-3F) << "t" << rate + 1;
  }
}

TEST(CodecModelTest, BitsAreNearThoseOfTheCode) {
  const TensorCodecParameters parameters = Fitted();
  const auto codec = TensorCodec::Create(parameters);
  ASSERT_TRUE(codec.ok()) << codec.status();
  const CodecModel model(parameters);
  for (const int rate : {0, 2, 4}) {
    double coded = 0;
    double estimated = 0;
    for (std::uint32_t seed = 100; seed < 108; ++seed) {
      const Tensor sample = Smooth(seed);
      const auto code = codec->Encode(sample, rate);
      ASSERT_TRUE(code.ok()) << code.status();
      coded += 8 * static_cast<double>(code->bytes.size());
      estimated +=
          Send(model, ToTorch(sample), rate, CodecModel::Use::kMeasuring).bits.item<double>();
    }
    EXPECT_LT(std::abs(std::log(estimated / coded)), 0.35) << estimated << " for " << coded;
  }
}

TEST(CodecModelTest, GradientsPassTheRounding) {
  const CodecModel model(Fitted());
  const torch::Tensor x = ToTorch(Smooth(100)).requires_grad_();
  const SentTensor sent = Send(model, x, 2.5, CodecModel::Use::kTraining);
  sent.tensor.sum().backward();
  // The transform and its inverse undo each other.
  EXPECT_TRUE(torch::allclose(x.grad(), torch::ones_like(x), 1e-2, 1e-2));
  for (const auto& [name, leaf] : model.parameters()) EXPECT_FALSE(leaf.grad().defined()) << name;
  Send(model, x, 2.5, CodecModel::Use::kTraining).bits.backward();
  for (const auto& [name, leaf] : model.parameters()) {
    EXPECT_TRUE(torch::isfinite(leaf.grad()).all().item<bool>()) << name;
    EXPECT_GT(leaf.grad().abs().max().item<float>(), 0) << name;
  }
}

TEST(CodecModelTest, RatesBetweenAreBetween) {
  const CodecModel model(Fitted());
  const torch::Tensor x = ToTorch(Smooth(100));
  double last = 1e9;
  for (const double rate : {0.0, 0.5, 1.5, 3.2, 5.0}) {
    const double bits = Send(model, x, rate, CodecModel::Use::kMeasuring).bits.item<double>();
    EXPECT_LT(bits, last) << rate;
    last = bits;
  }
}

}  // namespace
}  // namespace cleave
