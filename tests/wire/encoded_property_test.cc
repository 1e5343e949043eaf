// The law of every encoding over random shapes, values and numbers of tensors: what an edge gets of
// a request is what the codec alone makes of its tensors, and that is within half a step of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "wire/frames.h"
#include "wire/payload.h"

namespace cleave {
namespace {

using Random = std::mt19937_64;
using Range = EncodeOptions::Range;

constexpr std::int64_t kMostElements = std::int64_t{1} << 20;

std::int64_t Draw(Random& random, std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random);
}

// The batch first; one to four more dimensions, now and then with many elements.
Shape RandomShape(Random& random, std::int64_t batch) {
  Shape shape = {batch};
  for (std::int64_t left = Draw(random, 1, 4); left > 0; --left) {
    shape.push_back(Draw(random, 1, 9));
  }
  if (Draw(random, 0, 3) == 0) shape.back() *= 40;
  return shape;
}

Tensor RandomTensor(Random& random, Shape shape) {
  std::vector<float> values(static_cast<std::size_t>(ElementCount(shape).value()));
  std::normal_distribution<float> normal(static_cast<float>(Draw(random, -3, 3)), 2);
  const bool activation = Draw(random, 0, 1) == 0;
  for (float& value : values) value = activation ? std::max(0.0F, normal(random)) : normal(random);
  return Tensor::FromFloats(std::move(shape), std::move(values)).value();
}

// As docs/wire-format.md has it, for the values of one range.
double Bound(Encoding encoding, std::span<const float> values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const double largest = std::max(std::abs(*least), std::abs(*most));
  switch (encoding) {
    case Encoding::kFp32:
      return 0;
    case Encoding::kFp16:
      return std::max(largest * 0x1p-11, 0x1p-25);
    default: {
      const int bits = EncodingName(encoding)[1] - '0';
      const double step = (static_cast<double>(*most) - *least) / ((1 << bits) - 1);
      return step / 2 + 1.001 * 0x1p-24 * largest;
    }
  }
}

void ExpectWithinBound(const Tensor& sent, const Tensor& got, const EncodeOptions& options) {
  const bool items = options.range == Range::kPerChannel;
  const std::size_t ranges = items ? static_cast<std::size_t>(sent.shape()[0]) : 1;
  const std::size_t width = sent.floats().size() / ranges;
  for (std::size_t range = 0; range < ranges; ++range) {
    const auto values = sent.floats().subspan(range * width, width);
    const auto found = got.floats().subspan(range * width, width);
    const double bound = Bound(options.encoding, values);
    double worst = 0;
    for (std::size_t i = 0; i < width; ++i) {
      worst = std::max(worst, std::abs(static_cast<double>(values[i]) - found[i]));
    }
    EXPECT_LE(worst, bound) << ShapeString(sent.shape()) << " item " << range;
  }
}

using Case = std::tuple<Encoding, Range, bool>;

class EncodedRequestLawTest : public ::testing::TestWithParam<Case> {};

TEST_P(EncodedRequestLawTest, TheEdgeGetsWhatTheCodecMakesOfIt) {
  const auto& [encoding, range, entropy] = GetParam();
  Random random(11);
  for (int round = 0; round < 100; ++round) {
    InferCall call;
    call.model = "m";
    call.cut = 1;
    call.exit = static_cast<int>(Draw(random, 0, 5));
    call.encode = {.encoding = encoding, .range = range, .channel_axis = 0, .entropy = entropy};
    const std::int64_t batch = Draw(random, 1, 6);
    for (std::int64_t left = Draw(random, 1, 3); left > 0; --left) {
      call.inputs.push_back(
          {absl::StrCat("t", left), RandomTensor(random, RandomShape(random, batch))});
    }
    grpc::ByteBuffer buffer = EncodeRequest(call).value().bytes;
    InferCall got = DecodeRequest(buffer).value().call;
    got.inputs = DecodeFrames(got, nullptr).value();
    ASSERT_EQ(got.inputs.size(), call.inputs.size());
    for (std::size_t i = 0; i < call.inputs.size(); ++i) {
      const Tensor& sent = call.inputs[i].tensor;
      const std::string frame = EncodeTensor(sent, *call.encode).value();
      EXPECT_EQ(got.inputs[i].name, call.inputs[i].name);
      ASSERT_EQ(got.inputs[i].tensor.shape(), sent.shape());
      EXPECT_EQ(got.inputs[i].tensor.bytes(),
                DecodeTensor(frame, "frame", kMostElements).value().bytes());
      ExpectWithinBound(sent, got.inputs[i].tensor, *call.encode);
    }
    if (HasFailure()) return;
  }
}

std::vector<Encoding> TensorEncodings() {
  std::vector<Encoding> encodings = AllEncodings();
  std::erase_if(encodings, [](Encoding encoding) {
    return IsPicture(encoding) || CodecRate(encoding).has_value();
  });
  return encodings;
}

std::string CaseName(const ::testing::TestParamInfo<Case>& info) {
  const auto& [encoding, range, entropy] = info.param;
  return absl::StrCat(EncodingName(encoding), range == Range::kPerChannel ? "_items" : "",
                      entropy ? "_entropy" : "");
}

INSTANTIATE_TEST_SUITE_P(
    Encodings, EncodedRequestLawTest,
    ::testing::Combine(::testing::ValuesIn(TensorEncodings()),
                       ::testing::Values(Range::kPerTensor, Range::kPerChannel), ::testing::Bool()),
    CaseName);

}  // namespace
}  // namespace cleave
