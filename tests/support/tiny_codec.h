#ifndef CLEAVE_TESTS_SUPPORT_TINY_CODEC_H_
#define CLEAVE_TESTS_SUPPORT_TINY_CODEC_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codec/codec_file.h"

namespace cleave::testing {

// A codec that quantizes each element (or, with blocks of 4 x 4, each DCT coefficient) by itself,
// with steps from 0.01 on that double from rate to rate. Tensors of up to `most_bytes` bytes an
// element are familiar to it.
inline TensorCodecParameters TinyCodec(int channels, int block_side = 1, float most_bytes = 4) {
  TensorCodecParameters codec;
  codec.channels = channels;
  codec.block_side = block_side;
  const auto count = static_cast<std::size_t>(channels);
  const auto bands = static_cast<std::size_t>(block_side) * static_cast<std::size_t>(block_side);
  codec.mean.assign(count, 0);
  codec.forward.assign(bands * count * count, 0);
  for (std::size_t band = 0; band < bands; ++band) {
    for (std::size_t i = 0; i < count; ++i) codec.forward[(band * count + i) * count + i] = 1;
  }
  codec.inverse = codec.forward;
  float step = 0.01F;
  for (TensorCodecParameters::Rate& rate : codec.rates) {
    rate.step = step;
    step *= 2;
    rate.mean_bytes = most_bytes / 2;
    rate.most_bytes = most_bytes;
    rate.model.components = channels;
    rate.model.active.assign(bands, channels);
    rate.model.offset.assign(bands * count, 0);
    rate.model.weight.assign(bands * kContextFeatures, 0);
    rate.model.chance.assign(std::size_t{kContexts} * kUnaryMagnitudes, 32768);
    rate.model.shift.assign(std::size_t{kContexts} * 3, 0);
  }
  return codec;
}

// The bytes of a codec file for a model of this digest.
inline std::string TinyCodecBytes(const std::string& model_digest,
                                  const std::map<std::string, TensorCodecParameters>& codecs) {
  return CodecFile::Write(
      {.model_digest = model_digest, .data_digest = std::string(64, 'd'), .samples = 1}, codecs);
}

inline std::shared_ptr<const CodecFile> TinyCodecFile(
    const std::map<std::string, TensorCodecParameters>& codecs) {
  return CodecFile::Read(TinyCodecBytes(std::string(64, 'a'), codecs), "tiny.codec").value();
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_TINY_CODEC_H_
