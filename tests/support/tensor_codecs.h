#ifndef CLEAVE_TESTS_SUPPORT_TENSOR_CODECS_H_
#define CLEAVE_TESTS_SUPPORT_TENSOR_CODECS_H_

#include <cstddef>

#include "codec/tensor_codec.h"

namespace cleave::testing {

// A codec that nothing was fitted to: channels are their own components, and t1's step is `step`.
inline TensorCodecParameters PlainCodec(int channels, int block_side, float step) {
  TensorCodecParameters codec;
  codec.channels = channels;
  codec.block_side = block_side;
  codec.lambda = 0.05F;
  const auto count = static_cast<std::size_t>(channels);
  const auto bands = static_cast<std::size_t>(block_side) * static_cast<std::size_t>(block_side);
  codec.mean.assign(count, 0.25F);
  codec.forward.assign(bands * count * count, 0);
  for (std::size_t band = 0; band < bands; ++band) {
    for (std::size_t i = 0; i < count; ++i) codec.forward[(band * count + i) * count + i] = 1;
  }
  codec.inverse = codec.forward;
  for (TensorCodecParameters::Rate& rate : codec.rates) {
    rate.step = step;
    step *= 1.5F;
    rate.mean_bytes = 0.5F;
    rate.most_bytes = 1;
    rate.model.components = channels;
    rate.model.active.assign(bands, channels - channels / 2);
    rate.model.offset.assign(bands * count, -64);
    rate.model.weight.assign(bands * kContextFeatures, 16);
    rate.model.chance.assign(std::size_t{kContexts} * kUnaryMagnitudes, 20000);
  }
  return codec;
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_SUPPORT_TENSOR_CODECS_H_
