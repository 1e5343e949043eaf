#include "codec/tensor_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "support/tensor_codecs.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::PlainCodec;

Tensor Noise(const Shape& shape, float size, int seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.25F, size);
  std::vector<float> values(static_cast<std::size_t>(*ElementCount(shape)));
  for (float& value : values) value = normal(random);
  return *Tensor::FromFloats(shape, std::move(values));
}

double Worst(const Tensor& a, const Tensor& b) {
  double worst = 0;
  for (std::size_t i = 0; i < a.floats().size(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a.floats()[i]) - b.floats()[i]));
  }
  return worst;
}

struct Case {
  Shape shape;
  int side;
};

class TensorCodecShapeTest : public ::testing::TestWithParam<Case> {};

// A component that is coded misses by one step at most, one that is not by a step and a half; a
// block's elements are sums of its coefficients.
TEST_P(TensorCodecShapeTest, DecodesWithinItsBound) {
  const auto& [shape, side] = GetParam();
  const int channels = static_cast<int>(shape[shape.size() == 3 ? 2 : 1]);
  const TensorCodec codec = *TensorCodec::Create(PlainCodec(channels, side, 0.02F));
  ASSERT_TRUE(codec.Takes(shape));
  for (const float size : {0.01F, 0.3F, 20.0F}) {
    const Tensor tensor = Noise(shape, size);
    std::size_t last = std::numeric_limits<std::size_t>::max();
    for (int rate = 0; rate < kCodecRates; ++rate) {
      const auto coded = codec.Encode(tensor, rate);
      ASSERT_TRUE(coded.ok()) << coded.status();
      const auto decoded = codec.Decode(coded->bytes, shape, rate);
      ASSERT_TRUE(decoded.ok()) << decoded.status();
      EXPECT_EQ(decoded->shape(), shape);
      EXPECT_LE(Worst(tensor, *decoded), 1.5 * side * codec.parameters().rates[rate].step + 1e-4);
      EXPECT_LE(coded->bytes.size(), last);
      last = coded->bytes.size();
      EXPECT_EQ(codec.Encode(tensor, rate)->bytes, coded->bytes);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, TensorCodecShapeTest,
                         ::testing::Values(Case{{1, 5, 12, 16}, 4}, Case{{3, 17, 9, 6}, 4},
                                           Case{{1, 40, 5, 5}, 4}, Case{{2, 3, 2, 2}, 4},
                                           Case{{1, 8, 3, 3}, 1}, Case{{4, 33}, 1},
                                           Case{{2, 7, 19}, 1}, Case{{1, 1}, 1}));

TEST(TensorCodecTest, OtherBytesAreRefusedOrAreSomeTensor) {
  const Shape shape = {1, 6, 8, 8};
  const TensorCodec codec = *TensorCodec::Create(PlainCodec(6, 4, 0.05F));
  const std::string good = codec.Encode(Noise(shape, 1), 0)->bytes;
  EXPECT_THAT(std::string(codec.Decode(good + "surplus bytes", shape, 0).status().message()),
              HasSubstr("bytes behind the last coefficient"));
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good.substr(0, random() % (good.size() + 1));
    for (int i = 0; i < round % 7 && !bytes.empty(); ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto decoded = codec.Decode(bytes, shape, 0);
    if (!decoded.ok()) {
      EXPECT_EQ(decoded.status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    for (const float value : decoded->floats()) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(TensorCodecTest, RefusesWhatItDoesNotTake) {
  const TensorCodec codec = *TensorCodec::Create(PlainCodec(6, 4, 0.05F));
  const auto error = [&](const Tensor& tensor) {
    return std::string(codec.Encode(tensor, 0).status().message());
  };
  EXPECT_THAT(error(*Tensor::Zeros(DataType::kFloat16, {1, 6, 8, 8})), HasSubstr("found FP16"));
  EXPECT_THAT(error(Noise({1, 5, 8, 8}, 1)), HasSubstr("expected 6 channels"));
  EXPECT_THAT(error(Noise({1, 6}, 1)), HasSubstr("a plane for blocks of 4 x 4"));
  EXPECT_FALSE(codec.Takes({1, 6}));
  EXPECT_FALSE(codec.Takes({1, 6, 0, 8}));
  EXPECT_TRUE(codec.Takes({7, 6, 31, 2}));
  EXPECT_EQ(codec.Decode("", {1, 5, 8, 8}, 0).status().code(), absl::StatusCode::kInvalidArgument);
  std::vector<float> values(6 * 64, 0);
  values[65] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(error(*Tensor::FromFloats({1, 6, 8, 8}, values)), HasSubstr("65"));
  values[65] = 1e30F;
  EXPECT_EQ(codec.Encode(*Tensor::FromFloats({1, 6, 8, 8}, values), 0).status().code(),
            absl::StatusCode::kOutOfRange);
  // The sum of these is no number, whether its component is coded or not.
  for (const std::size_t channel : {0, 5}) {
    TensorCodecParameters differences = PlainCodec(6, 4, 0.05F);
    for (std::size_t band = 0; band < 16; ++band) {
      float* row = differences.forward.data() + (band * 6 + channel) * 6;
      row[3] = 1e10F;
      row[4] = -1e10F;
    }
    EXPECT_EQ(TensorCodec::Create(differences)
                  ->Encode(*Tensor::FromFloats({1, 6, 8, 8}, std::vector<float>(384, 1e30F)), 0)
                  .status()
                  .code(),
              absl::StatusCode::kOutOfRange);
  }
}

TEST(TensorCodecTest, SaysWhatIsUnfamiliar) {
  TensorCodecParameters parameters = PlainCodec(6, 4, 0.05F);
  for (auto& rate : parameters.rates) rate.most_bytes = 0.1F;
  const TensorCodec codec = *TensorCodec::Create(parameters);
  EXPECT_FALSE(codec.Encode(Noise({1, 6, 8, 8}, 0.001F), 0)->unfamiliar);
  EXPECT_TRUE(codec.Encode(Noise({1, 6, 8, 8}, 3), 0)->unfamiliar);
}

TEST(TensorCodecParametersTest, EveryFieldIsChecked) {
  const auto error = [](const auto& change) {
    TensorCodecParameters codec = PlainCodec(6, 4, 0.05F);
    change(codec);
    return std::string(codec.Validate().message());
  };
  using Codec = TensorCodecParameters;
  EXPECT_EQ(error([](Codec&) {}), "");
  EXPECT_THAT(error([](Codec& c) { c.channels = 0; }), HasSubstr("channels: found 0"));
  EXPECT_THAT(error([](Codec& c) { c.block_side = 3; }), HasSubstr("block_side: found 3"));
  EXPECT_THAT(error([](Codec& c) { c.lambda = NAN; }), HasSubstr("lambda"));
  EXPECT_THAT(error([](Codec& c) { c.mean.pop_back(); }), HasSubstr("mean: found 5 values"));
  EXPECT_THAT(error([](Codec& c) { c.forward.clear(); }), HasSubstr("forward: found 0 values"));
  EXPECT_THAT(error([](Codec& c) { c.inverse.push_back(1); }), HasSubstr("inverse"));
  EXPECT_THAT(error([](Codec& c) { c.rates[2].step = 0; }), HasSubstr("rate t3: step: found 0"));
  EXPECT_THAT(error([](Codec& c) { c.rates[0].most_bytes = -1; }), HasSubstr("rate t1: bytes"));
  EXPECT_THAT(error([](Codec& c) { c.rates[3].mean_bytes = INFINITY; }),
              HasSubstr("rate t4: bytes: found inf"));
  EXPECT_THAT(error([](Codec& c) { c.rates[1].model.active[3] = 7; }),
              HasSubstr("rate t2: active: found 7"));
  EXPECT_THAT(error([](Codec& c) { c.rates[1].model.active.pop_back(); }), HasSubstr("t2"));
  EXPECT_THAT(error([](Codec& c) { c.rates[1].model.offset.clear(); }), HasSubstr("offset"));
  EXPECT_THAT(error([](Codec& c) { c.rates[1].model.weight.clear(); }), HasSubstr("weight"));
  EXPECT_THAT(error([](Codec& c) { c.rates[1].model.chance.clear(); }), HasSubstr("chance"));
}

}  // namespace
}  // namespace cleave
