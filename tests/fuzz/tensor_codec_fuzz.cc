// The first byte chooses a shape and the second a rate; the rest is decoded as a tensor of that
// shape, and also made into a tensor. Any bytes are refused or decode to finite values, and any
// tensor comes back within the bound of its rate.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "codec/tensor_codec.h"
#include "support/tensor_codecs.h"

namespace {

using namespace cleave;

constexpr float kStep = 0.05F;

struct Case {
  Shape shape;
  int side;
};

const Case kCases[] = {{{1, 5, 9, 6}, 4}, {{2, 3, 4, 4}, 4}, {{1, 20, 5, 5}, 4}, {{1, 6, 2, 2}, 4},
                       {{1, 8, 3, 3}, 1}, {{3, 17}, 1},      {{2, 7, 9}, 1},     {{1, 1}, 1}};

void Require(bool condition) {
  if (!condition) std::abort();
}

const TensorCodec& CodecOf(std::size_t which) {
  static const std::vector<TensorCodec> codecs = [] {
    std::vector<TensorCodec> made;
    for (const Case& each : kCases) {
      const Shape& shape = each.shape;
      const auto channels = static_cast<int>(shape[shape.size() == 3 ? 2 : 1]);
      made.push_back(*TensorCodec::Create(testing::PlainCodec(channels, each.side, kStep)));
    }
    return made;
  }();
  return codecs[which];
}

void Decode(const TensorCodec& codec, const Shape& shape, int rate, absl::string_view bytes) {
  const auto decoded = codec.Decode(bytes, shape, rate);
  if (!decoded.ok()) {
    Require(absl::IsInvalidArgument(decoded.status()));
    return;
  }
  Require(decoded->shape() == shape);
  for (const float value : decoded->floats()) Require(std::isfinite(value));
}

// The bound is that of tests/codec/tensor_codec_test.cc.
void Encode(const TensorCodec& codec, const Shape& shape, int rate, absl::string_view bytes) {
  std::vector<float> values(static_cast<std::size_t>(*ElementCount(shape)));
  for (std::size_t i = 0; i < std::min(values.size(), bytes.size()); ++i) {
    values[i] = static_cast<float>(static_cast<signed char>(bytes[i])) / 16;
  }
  const auto tensor = Tensor::FromFloats(shape, std::move(values));
  Require(tensor.ok());
  const auto coded = codec.Encode(*tensor, rate);
  Require(coded.ok());
  const auto decoded = codec.Decode(coded->bytes, shape, rate);
  Require(decoded.ok() && decoded->shape() == shape);
  const double bound = 1.5 * codec.parameters().block_side *
                           codec.parameters().rates[static_cast<std::size_t>(rate)].step +
                       1e-4;
  for (std::int64_t i = 0; i < tensor->elements(); ++i) {
    const double value = tensor->floats()[i];
    Require(std::abs(value - decoded->floats()[i]) <= bound);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t which = data[0] % std::size(kCases);
  const int rate = data[1] % kCodecRates;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
  Decode(CodecOf(which), kCases[which].shape, rate, rest);
  Encode(CodecOf(which), kCases[which].shape, rate, rest);
  return 0;
}
