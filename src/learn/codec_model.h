#ifndef CLEAVE_LEARN_CODEC_MODEL_H_
#define CLEAVE_LEARN_CODEC_MODEL_H_

// Internal to src/learn. May throw c10::Error.

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <string>

#include "codec/tensor_codec.h"

namespace cleave {

// What a tensor becomes when it is sent.
struct SentTensor {
  torch::Tensor tensor;  // As it arrives.
  torch::Tensor bits;    // A scalar: how long its code is estimated to be.
};

// A fitted codec of a tensor of 1 x C x H x W with blocks of 4 x 4 (docs/tensor-codec.md), as
// LibTorch's operators, so that gradients pass: the transform as it is; rounding whose gradient is
// taken for 1; and for the bits the ideal code length of a Laplace distribution whose mean
// magnitude is what the codec's contexts expect. Between the codec's six rates steps and contexts
// are interpolated, so that any rate can be drawn (arXiv 2402.18930). Immutable, but for
// parameters(); thread-safe while nobody changes those.
class CodecModel {
 public:
  using Tensors = std::map<std::string, torch::Tensor>;

  enum class Use {
    kTraining,   // Bits are those of a uniform noise in place of the rounding.
    kMeasuring,  // Bits are those of the rounded numbers.
  };

  explicit CodecModel(const TensorCodecParameters& codec);

  // Corrections of the codec's expectations, which begin at 0: leaves, by name.
  const Tensors& parameters() const { return parameters_; }

  // `rate` is from 0 (t1) to 5 (t6). The noise comes from `generator`.
  SentTensor Send(const torch::Tensor& x, double rate, Use use, const Tensors& parameters,
                  at::Generator& generator) const;

 private:
  struct AtRate {
    double step = 1;
    torch::Tensor offset;  // [band, component], log2 of the magnitude in 1/64.
    torch::Tensor weight;  // [band, feature], in 1/64.
    torch::Tensor chance;  // [context]: the logarithm of the chance of a magnitude above 0.
  };
  AtRate Interpolated(double rate, const Tensors& parameters) const;

  // Return 1 x (bands x components) x rows x columns, and the tensor of such.
  torch::Tensor Project(const torch::Tensor& x) const;
  torch::Tensor Reconstruct(const torch::Tensor& components, const torch::Tensor& like) const;
  // Returns the logarithm of the chance that each is not 0, by its context.
  torch::Tensor LogChance(const torch::Tensor& magnitudes, const AtRate& at) const;

  std::int64_t channels_ = 0;
  torch::Tensor mean_;     // 1, C, 1, 1.
  torch::Tensor cosines_;  // C * 16, 1, 4, 4: the cosine transform of each channel.
  torch::Tensor forward_;  // 16 * C, C, 1, 1: the components of each band.
  torch::Tensor inverse_;
  std::array<double, kCodecRates> steps_ = {};
  torch::Tensor offsets_;  // 6, 16, C.
  torch::Tensor weights_;  // 6, 16, 7.
  torch::Tensor chances_;  // 6, 48.
  Tensors parameters_;
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_CODEC_MODEL_H_
