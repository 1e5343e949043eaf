// The error bound of every encoding over random shapes and values: how far decoded values may lie
// from the encoded ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "codec/frame.h"
#include "codec/frames.h"

namespace cleave {
namespace {

using Random = std::mt19937_64;
using Range = EncodeOptions::Range;

constexpr float kMax = std::numeric_limits<float>::max();

int BitsOf(Encoding encoding) {
  const absl::string_view name = EncodingName(encoding);
  return name[0] == 'q' ? name[1] - '0' : 0;
}

float FiniteFromBits(Random& random) {
  for (;;) {
    const auto value = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isfinite(value)) return value;
  }
}

struct Distribution {
  std::string name;
  float (*draw)(Random&);
};

float Uniform(Random& random, float least, float most) {
  return std::uniform_real_distribution<float>(least, most)(random);
}

const Distribution kDistributions[] = {
    {"normal", [](Random& r) { return std::normal_distribution<float>()(r); }},
    {"relu", [](Random& r) { return std::max(0.0F, std::normal_distribution<float>()(r)); }},
    {"heavy_tail", [](Random& r) { return std::min(6e4F, std::exp(Uniform(r, -80, 11))); }},
    {"far_from_zero", [](Random& r) { return 1e4F + Uniform(r, 0, 1e-2F); }},
    {"constant", [](Random&) { return -0.3F; }},
    {"one_huge", [](Random& r) { return r() % 100 == 0 ? 6e4F : Uniform(r, -1, 1); }},
    {"denormal",
     [](Random& r) { return std::bit_cast<float>(static_cast<std::uint32_t>(r() & 0x807FFFFF)); }},
    {"zeros_of_both_signs", [](Random& r) { return r() % 2 == 0 ? 0.0F : -0.0F; }},
    {"ends_of_float",
     [](Random& r) { return r() % 2 == 0 ? Uniform(r, 0, kMax) : Uniform(r, -kMax, 0); }},
    {"extremes_only", [](Random& r) { return r() % 2 == 0 ? kMax : -kMax; }},
    {"any_bits", FiniteFromBits},
};

Shape RandomShape(Random& random) {
  Shape shape(1 + random() % 4);
  for (std::int64_t& dim : shape) dim = 1 + static_cast<std::int64_t>(random() % 12);
  // Now and then, the tensor is larger than one chunk of the kernels.
  if (random() % 4 == 0) shape[random() % shape.size()] *= 50;
  return shape;
}

// Returns the bound of docs/wire-format.md for values of one channel.
double Bound(Encoding encoding, float value, float min, float max) {
  if (encoding == Encoding::kFp32) return 0;
  if (encoding == Encoding::kFp16) return std::max(std::abs(value) * 0x1p-11, 0x1p-25);
  const double step = (static_cast<double>(max) - min) / ((1 << BitsOf(encoding)) - 1);
  const double largest =
      std::max(std::abs(static_cast<double>(min)), std::abs(static_cast<double>(max)));
  return step / 2 + 1.001 * 0x1p-24 * largest + 0x1p-150;
}

std::vector<int> ChannelsOf(const Shape& shape, Range range, int axis) {
  std::int64_t inner = 1;
  std::int64_t count = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    count *= shape[i];
    if (static_cast<int>(i) > axis) inner *= shape[i];
  }
  std::vector<int> channels(count, 0);
  if (range == Range::kPerTensor) return channels;
  for (std::int64_t i = 0; i < count; ++i) {
    channels[i] = static_cast<int>(i / inner % shape[axis]);
  }
  return channels;
}

// Checks the bound and returns the largest share of it that was used.
double ExpectLaw(const Tensor& tensor, const EncodeOptions& options) {
  const std::string frame = EncodeTensor(tensor, options).value();
  const Tensor back = DecodeTensor(frame, "f", tensor.elements()).value();
  EXPECT_EQ(back.shape(), tensor.shape());
  EXPECT_EQ(back.dtype(), DataType::kFloat32);
  const std::vector<int> channels = ChannelsOf(tensor.shape(), options.range, options.channel_axis);
  std::vector<float> min(channels.size(), kMax);
  std::vector<float> max(channels.size(), -kMax);
  for (std::size_t i = 0; i < channels.size(); ++i) {
    min[channels[i]] = std::min(min[channels[i]], tensor.floats()[i]);
    max[channels[i]] = std::max(max[channels[i]], tensor.floats()[i]);
  }
  double used = 0;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    const float value = tensor.floats()[i];
    const double bound = Bound(options.encoding, value, min[channels[i]], max[channels[i]]);
    const double error = std::abs(static_cast<double>(value) - back.floats()[i]);
    if (!(error <= bound)) {  // The negation also catches a NaN.
      ADD_FAILURE() << EncodingName(options.encoding) << " " << ShapeString(tensor.shape())
                    << " element " << i << ": " << value << " became " << back.floats()[i]
                    << ", bound " << bound;
      return 2;
    }
    if (bound > 0) used = std::max(used, error / bound);
  }
  return used;
}

using Case = std::tuple<Encoding, Range>;

class FrameLawTest : public testing::TestWithParam<Case> {
 protected:
  static float Draw(const Distribution& distribution, Random& random) {
    const float value = distribution.draw(random);
    const bool half = std::get<Encoding>(GetParam()) == Encoding::kFp16;
    return half ? std::clamp(value, -65504.0F, 65504.0F) : value;
  }
};

TEST_P(FrameLawTest, EveryElementStaysWithinItsBound) {
  const auto& [encoding, range] = GetParam();
  for (const Distribution& distribution : kDistributions) {
    SCOPED_TRACE(distribution.name);
    Random random(7);
    double used = 0;
    for (int round = 0; round < 60; ++round) {
      const Shape shape = RandomShape(random);
      std::vector<float> values(ElementCount(shape).value());
      for (float& value : values) value = Draw(distribution, random);
      const EncodeOptions options = {.encoding = encoding,
                                     .range = range,
                                     .channel_axis = static_cast<int>(random() % shape.size()),
                                     .entropy = random() % 2 == 0};
      used = std::max(used, ExpectLaw(FloatTensor(shape, values), options));
      if (HasFailure()) return;
    }
    if (distribution.name == "normal" && encoding != Encoding::kFp32) {
      EXPECT_GT(used, 0.9) << "the bound is too loose to say anything";
    }
  }
}

TEST_P(FrameLawTest, TheSameTensorGivesTheSameFrame) {
  const auto& [encoding, range] = GetParam();
  for (const Distribution& distribution : kDistributions) {
    SCOPED_TRACE(distribution.name);
    Random random(8);
    std::vector<float> values(3000);
    for (float& value : values) value = Draw(distribution, random);
    const EncodeOptions options = {.encoding = encoding, .range = range, .entropy = true};
    EXPECT_EQ(EncodeTensor(FloatTensor({5, 12, 50}, values), options).value(),
              EncodeTensor(FloatTensor({5, 12, 50}, values), options).value());
  }
}

std::string CaseName(const testing::TestParamInfo<Case>& info) {
  const auto& [encoding, range] = info.param;
  return absl::StrCat(EncodingName(encoding),
                      range == Range::kPerTensor ? "_per_tensor" : "_per_channel");
}

INSTANTIATE_TEST_SUITE_P(Encodings, FrameLawTest,
                         testing::Combine(testing::ValuesIn(kAllEncodings),
                                          testing::Values(Range::kPerTensor, Range::kPerChannel)),
                         CaseName);

}  // namespace
}  // namespace cleave
