#include "learn/codec_model.h"

#include <torch/utils.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "codec/block_transform.h"
#include "codec/coefficient_coder.h"
#include "fit/coefficient_fit.h"

namespace cleave {
namespace {

constexpr std::int64_t kSide = BlockLayout::kBlockSide;
constexpr std::int64_t kBands = kSide * kSide;
constexpr double kUnit = 64;  // Of offsets, weights and logarithms.
constexpr std::int64_t kMostMagnitude = 1023;
// Contexts begin at an expectation of 2^-9, in 1/64, and are a quarter of an octave wide.
constexpr double kFirstContext = -576;
constexpr double kContextWidth = 16;
// What is hardly ever coded costs next to nothing.
constexpr double kLeastOffset = -4096;
constexpr double kLeastChance = 1e-6;

// The cosine transform of a block as [band][y][x]: what a unit of each band is.
torch::Tensor Cosines() {
  BlockLayout layout;
  layout.height = layout.width = layout.side = BlockLayout::kBlockSide;
  torch::Tensor cosines = torch::empty({kBands, kSide, kSide});
  const std::array<float, 1> no_mean = {0};
  for (std::int64_t band = 0; band < kBands; ++band) {
    std::array<float, kBands> unit = {};
    unit[static_cast<std::size_t>(band)] = 1;
    FromCoefficients(layout, unit, no_mean,
                     {cosines.data_ptr<float>() + band * kBands, std::size_t{kBands}});
  }
  return cosines;
}

torch::Tensor Floats(const std::vector<float>& values, at::IntArrayRef sizes) {
  return torch::tensor(values).reshape(sizes);
}

torch::Tensor Levels(const std::vector<std::int16_t>& values, at::IntArrayRef sizes) {
  return Floats({values.begin(), values.end()}, sizes);
}

// The offsets, which are the least for components that are usually not coded.
torch::Tensor OffsetsOf(const CoefficientModel& model) {
  torch::Tensor offsets = Levels(model.offset, {kBands, model.components});
  for (std::int64_t band = 0; band < kBands; ++band) {
    const std::int64_t active = model.active[static_cast<std::size_t>(band)];
    offsets.select(0, band).slice(0, active).fill_(kLeastOffset);
  }
  return offsets;
}

// The tensor with its rows and columns moved by one or none, zeros coming in.
torch::Tensor Moved(const torch::Tensor& x, std::int64_t down, std::int64_t right) {
  const std::int64_t rows = x.size(-2);
  const std::int64_t columns = x.size(-1);
  const torch::Tensor padded = torch::constant_pad_nd(x, {1, 1, 1, 0});
  return padded.slice(-2, 1 - down, 1 - down + rows).slice(-1, 1 - right, 1 - right + columns);
}

torch::Tensor Log(const torch::Tensor& sum) {
  return torch::log2(1 + torch::clamp_max(sum, static_cast<double>(kMostMagnitude))) * kUnit;
}

// What comes before each along the second dimension, summed; `skipped` of the nearest are left out.
torch::Tensor Before(const torch::Tensor& x, std::int64_t dimension, std::int64_t places) {
  std::vector<std::int64_t> sizes = x.sizes().vec();
  sizes[static_cast<std::size_t>(dimension)] = std::min(places, x.size(dimension));
  return torch::cat({torch::zeros(sizes), x}, dimension).narrow(dimension, 0, x.size(dimension));
}

// -log2 of the chance of `u` plus or minus a half, by a Laplace distribution of scale b.
torch::Tensor Bits(const torch::Tensor& u, const torch::Tensor& b) {
  const torch::Tensor size = u.abs();
  const torch::Tensor half = 0.5 / b;
  // log(sinh(half)), without overflow.
  const torch::Tensor log_sinh = half + torch::log1p(-torch::exp(-2 * half)) - std::log(2.0);
  const torch::Tensor outside = size / b - log_sinh;
  const torch::Tensor inner = torch::clamp_max(size, 0.5);
  const torch::Tensor chance =
      1 - 0.5 * (torch::exp((inner - 0.5) / b) + torch::exp((-inner - 0.5) / b));
  const torch::Tensor inside = -torch::log(torch::clamp_min(chance, 1e-9));
  return torch::where(size > 0.5, outside, inside) / std::log(2.0);
}

}  // namespace

CodecModel::CodecModel(const TensorCodecParameters& codec) : channels_(codec.channels) {
  TORCH_CHECK(codec.block_side == kSide, "a codec with blocks of side ", codec.block_side);
  mean_ = Floats(codec.mean, {1, channels_, 1, 1});
  cosines_ = Cosines()
                 .reshape({1, kBands, 1, kSide, kSide})
                 .expand({channels_, kBands, 1, kSide, kSide})
                 .reshape({channels_ * kBands, 1, kSide, kSide})
                 .contiguous();
  forward_ = Floats(codec.forward, {kBands * channels_, channels_, 1, 1});
  // The inverse lies by component; a convolution wants it by channel.
  inverse_ = Floats(codec.inverse, {kBands, channels_, channels_})
                 .transpose(1, 2)
                 .reshape({kBands * channels_, channels_, 1, 1})
                 .contiguous();
  std::vector<torch::Tensor> offsets;
  std::vector<torch::Tensor> weights;
  std::vector<torch::Tensor> chances;
  for (std::size_t rate = 0; rate < codec.rates.size(); ++rate) {
    steps_[rate] = codec.rates[rate].step;
    const CoefficientModel& model = codec.rates[rate].model;
    offsets.push_back(OffsetsOf(model));
    weights.push_back(Levels(model.weight, {kBands, kContextFeatures}));
    std::vector<float> chance;
    for (std::size_t context = 0; context < kContexts; ++context) {
      const double above = model.chance[context * kUnaryMagnitudes] / 65536.0;
      chance.push_back(
          static_cast<float>(std::log(std::clamp(above, kLeastChance, 1 - kLeastChance))));
    }
    chances.push_back(torch::tensor(chance));
  }
  offsets_ = torch::stack(offsets);
  weights_ = torch::stack(weights);
  chances_ = torch::stack(chances);
  parameters_["offset"] = torch::zeros({kBands, channels_}).requires_grad_();
  parameters_["weight"] = torch::zeros({kBands, kContextFeatures}).requires_grad_();
}

CodecModel::AtRate CodecModel::Interpolated(double rate, const Tensors& parameters) const {
  const auto below = static_cast<std::size_t>(std::clamp(std::floor(rate), 0.0, kCodecRates - 2.0));
  const double share = std::clamp(rate - static_cast<double>(below), 0.0, 1.0);
  const auto at = static_cast<std::int64_t>(below);
  AtRate found;
  found.step = steps_[below] * std::pow(steps_[below + 1] / steps_[below], share);
  found.offset =
      offsets_[at] * (1 - share) + offsets_[at + 1] * share + parameters.at("offset") * kUnit;
  found.weight =
      weights_[at] * (1 - share) + weights_[at + 1] * share + parameters.at("weight") * kUnit;
  found.chance = chances_[at] * (1 - share) + chances_[at + 1] * share;
  return found;
}

torch::Tensor CodecModel::Project(const torch::Tensor& x) const {
  const std::int64_t down = (kSide - x.size(2) % kSide) % kSide;
  const std::int64_t right = (kSide - x.size(3) % kSide) % kSide;
  torch::Tensor centred = x - mean_;
  if (down + right > 0) centred = torch::replication_pad2d(centred, {0, right, 0, down});
  const torch::Tensor bands =
      torch::conv2d(centred, cosines_, {}, kSide, at::IntArrayRef{0}, 1, channels_);
  const std::int64_t rows = bands.size(2);
  const std::int64_t columns = bands.size(3);
  const torch::Tensor by_band = bands.reshape({channels_, kBands, rows, columns})
                                    .transpose(0, 1)
                                    .reshape({1, kBands * channels_, rows, columns});
  return torch::conv2d(by_band, forward_, {}, 1, at::IntArrayRef{0}, 1, kBands);
}

torch::Tensor CodecModel::Reconstruct(const torch::Tensor& components,
                                      const torch::Tensor& like) const {
  const std::int64_t rows = components.size(2);
  const std::int64_t columns = components.size(3);
  const torch::Tensor by_channel =
      torch::conv2d(components, inverse_, {}, 1, at::IntArrayRef{0}, 1, kBands)
          .reshape({kBands, channels_, rows, columns})
          .transpose(0, 1)
          .reshape({1, channels_ * kBands, rows, columns});
  const torch::Tensor whole =
      torch::conv_transpose2d(by_channel, cosines_, {}, kSide, 0, 0, channels_);
  return whole.slice(2, 0, like.size(2)).slice(3, 0, like.size(3)) + mean_;
}

torch::Tensor CodecModel::LogChance(const torch::Tensor& magnitudes, const AtRate& at) const {
  const torch::Tensor m = torch::clamp_max(magnitudes, static_cast<double>(kMostMagnitude))
                              .reshape({kBands, channels_, magnitudes.size(2), magnitudes.size(3)});
  const torch::Tensor direct = Moved(m, 1, 0) + Moved(m, 0, 1);
  // Moved has room for one column at the right, too, for the upper right block.
  const torch::Tensor around = 2 * direct + Moved(m, 1, 1) + Moved(m, 1, -1);
  const torch::Tensor neighbours =
      Before(direct, 1, 1) +
      torch::cat({direct.narrow(1, 1, channels_ - 1), torch::zeros_like(direct.narrow(1, 0, 1))},
                 1);
  const torch::Tensor recent = 2 * Before(m, 1, 1) + Before(m, 1, 2);
  const torch::Tensor so_far = Before(m.cumsum(1), 1, 1);
  const torch::Tensor sums = m.sum(1, /*keepdim=*/true);  // [band, 1, rows, columns].
  const torch::Tensor lower = Before(sums.cumsum(0), 0, 1);
  const torch::Tensor two_before = Before(sums, 0, 1) + Before(sums, 0, 2);
  const torch::Tensor beside = Moved(sums, 1, 0) + Moved(sums, 0, 1);
  torch::Tensor expected = at.offset.reshape({kBands, channels_, 1, 1});
  const std::array<torch::Tensor, kContextFeatures> features = {around, neighbours, recent, so_far,
                                                                lower,  two_before, beside};
  for (std::size_t i = 0; i < features.size(); ++i) {
    const torch::Tensor weight =
        at.weight.select(1, static_cast<std::int64_t>(i)).reshape({kBands, 1, 1, 1});
    expected = expected + weight * Log(features[i]) / kUnit;
  }
  // A line between the middles of two contexts, so that corrections have a gradient; what is far
  // below the first context is not coded.
  const torch::Tensor place = (expected - kFirstContext) / kContextWidth - 0.5;
  const torch::Tensor inside = torch::clamp(place, 0, kContexts - 1.001);
  const torch::Tensor below = inside.detach().floor();
  const torch::Tensor at_below = below.to(torch::kInt64);
  const auto chance = [&](const torch::Tensor& context) {
    return at.chance.index_select(0, context.reshape({-1})).reshape(context.sizes());
  };
  const torch::Tensor low = chance(at_below);
  const torch::Tensor found = low + (chance(at_below + 1) - low) * (inside - below);
  const torch::Tensor coded = (place.detach() > -kContexts).to(torch::kFloat32);
  return (found * coded + std::log(kLeastChance) * (1 - coded)).reshape(magnitudes.sizes());
}

SentTensor CodecModel::Send(const torch::Tensor& x, double rate, Use use, const Tensors& parameters,
                            at::Generator& generator) const {
  const AtRate at = Interpolated(rate, parameters);
  const torch::Tensor sizes = Project(x) / at.step;
  const torch::Tensor rounded = [&] {
    const torch::NoGradGuard no_grad;
    return torch::sign(sizes) * torch::floor(sizes.abs() + kDeadZoneRounding);
  }();
  // The gradient passes as if nothing were rounded.
  const torch::Tensor quantized = sizes + (rounded - sizes).detach();
  // What is beyond a half has this chance.
  const torch::Tensor scale = -0.5 / LogChance(rounded.abs(), at);
  const torch::Tensor coded =
      use == Use::kMeasuring ? rounded : sizes + torch::rand(sizes.sizes(), generator) - 0.5;
  return {Reconstruct(quantized * at.step, x), Bits(coded, scale).sum()};
}

}  // namespace cleave
