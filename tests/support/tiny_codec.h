#ifndef CLEAVE_TESTS_SUPPORT_TINY_CODEC_H_
#define CLEAVE_TESTS_SUPPORT_TINY_CODEC_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codec/codec_file.h"
#include "support/tensor_codecs.h"

namespace cleave::testing {

// A codec that quantizes each element (or, with blocks of 4 x 4, each DCT coefficient) by itself,
// with steps from 0.01 on that double from rate to rate. Tensors of up to `most_bytes` bytes an
// element are familiar to it.
inline TensorCodecParameters TinyCodec(int channels, int block_side = 1, float most_bytes = 4) {
  float step = 0.01F;
  TensorCodecParameters codec = PlainCodec(channels, block_side, step);
  codec.lambda = 0;
  codec.mean.assign(codec.mean.size(), 0);
  for (TensorCodecParameters::Rate& rate : codec.rates) {
    rate.step = step;
    step *= 2;
    rate.mean_bytes = most_bytes / 2;
    rate.most_bytes = most_bytes;
    rate.model.active.assign(rate.model.active.size(), channels);
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
