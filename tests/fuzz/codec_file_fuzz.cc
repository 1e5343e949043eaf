// Any bytes are refused as a codec file, or make codecs that encode a small tensor of zeros at
// every rate and decode it, and that are the same after they were written out.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "codec/codec_file.h"

namespace {

using namespace cleave;

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckCodec(const TensorCodec& codec) {
  const int side = codec.parameters().block_side;
  const Shape shape = {1, codec.parameters().channels, side + 1, side};
  Require(codec.Takes(shape));
  const auto zeros = Tensor::Zeros(DataType::kFloat32, shape);
  Require(zeros.ok());
  for (int rate = 0; rate < kCodecRates; ++rate) {
    // A mean or matrix may make more of zeros than a code can hold.
    const auto coded = codec.Encode(*zeros, rate);
    Require(coded.ok() || absl::IsOutOfRange(coded.status()));
    if (!coded.ok()) continue;
    const auto decoded = codec.Decode(coded->bytes, shape, rate);
    Require(decoded.ok() && decoded->shape() == shape);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = CodecFile::Read(bytes, "fuzz");
  if (!file.ok()) return 0;
  std::map<std::string, TensorCodecParameters> codecs;
  for (const auto& [name, codec] : (**file).codecs()) {
    CheckCodec(codec);
    codecs.emplace(name, codec.parameters());
  }
  const std::string written = CodecFile::Write((**file).about(), codecs);
  const auto again = CodecFile::Read(written, "fuzz");
  Require(again.ok() && (**again).codecs().size() == codecs.size());
  return 0;
}
