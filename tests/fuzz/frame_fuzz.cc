// The first byte chooses: the rest is a frame as it is; or a frame whose magic, version and
// checksum are put right, so that the fields behind them are reached; or floats to be encoded. What
// decodes encodes again, and decodes to the same: bit by bit as fp32 and fp16, within the law of
// codec/quantize.h as levels.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "codec/frame.h"
#include "codec/frame_header.h"

namespace {

using namespace cleave;

constexpr std::int64_t kMaxElements = 1 << 20;

void Require(bool condition) {
  if (!condition) std::abort();
}

// The bound with one range for the whole tensor and zero, which that of no channel exceeds.
double Bound(const Tensor& tensor, int bits) {
  double min = 0;
  double max = 0;
  for (const float value : tensor.floats()) {
    min = std::min<double>(min, value);
    max = std::max<double>(max, value);
  }
  const double step = (max - min) / ((1 << bits) - 1);
  return step / 2 + 1.001 * 0x1p-24 * std::max(-min, max) + 0x1p-150;
}

void ExpectRoundTrip(const Tensor& tensor, const EncodeOptions& options) {
  const auto frame = EncodeTensor(tensor, options);
  Require(frame.ok());
  const auto back = DecodeTensor(*frame, "fuzz", kMaxElements);
  Require(back.ok() && back->shape() == tensor.shape() && back->dtype() == tensor.dtype());
  const int bits = LevelBits(options.encoding);
  if (bits == 0) {
    Require(back->bytes() == tensor.bytes());
    return;
  }
  const double bound = Bound(tensor, bits);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const double value = tensor.floats()[i];
    Require(std::abs(value - back->floats()[i]) <= bound);
  }
}

void Decode(const std::string& frame) {
  const auto tensor = DecodeTensor(frame, "fuzz", kMaxElements);
  if (!tensor.ok()) return;
  const auto parts = ParseFrame(frame, "fuzz", kMaxElements);
  Require(parts.ok() && parts->header.shape == tensor->shape());
  EncodeOptions options = {.encoding = parts->header.encoding,
                           .entropy = parts->header.compression != Compression::kNone};
  if (parts->header.range_kind == RangeKind::kPerChannel) {
    options.range = EncodeOptions::Range::kPerChannel;
    options.channel_axis = parts->header.channel_axis;
  }
  ExpectRoundTrip(*tensor, options);
}

void DecodeMended(absl::string_view bytes) {
  std::string frame("CLVT\1", 5);
  frame.append(bytes.data(), bytes.size());
  FinishFrame(frame);
  Decode(frame);
}

void Encode(absl::string_view bytes) {
  if (bytes.size() < 3) return;
  EncodeOptions options;
  options.encoding = static_cast<Encoding>(bytes[0] & 7);
  options.range = static_cast<EncodeOptions::Range>(bytes[0] >> 3 & 1);
  options.entropy = (bytes[0] & 16) != 0;
  options.channel_axis = bytes[1] & 1;
  const std::int64_t columns = 1 + (bytes[2] & 63);
  bytes.remove_prefix(3);
  const std::int64_t rows = static_cast<std::int64_t>(bytes.size() / sizeof(float)) / columns;
  std::vector<float> values(rows * columns);
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  const auto fits = [&](float value) {
    return options.encoding == Encoding::kFp32 ||
           (std::isfinite(value) &&
            (options.encoding != Encoding::kFp16 || std::abs(value) <= 65504));
  };
  const bool all_fit = std::all_of(values.begin(), values.end(), fits);
  const auto tensor = Tensor::FromFloats({rows, columns}, std::move(values));
  Require(tensor.ok());
  const auto frame = EncodeTensor(*tensor, options);
  Require(frame.ok() == all_fit);
  if (!frame.ok()) return;
  // fp16 loses something the first time only, which Decode() then looks for.
  if (options.encoding != Encoding::kFp16) ExpectRoundTrip(*tensor, options);
  Decode(*frame);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const absl::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      Decode(std::string(rest));
      break;
    case 1:
      Encode(rest);
      break;
    default:
      DecodeMended(rest);
  }
  return 0;
}
