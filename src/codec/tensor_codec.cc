#include "codec/tensor_codec.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/quantize.h"
#include "codec/range_coder.h"
#include "codec/vectorized.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kBlocksAtOnce = 4;
constexpr float kUnfamiliar = 1.5F;

// Multiplies rows of `channels` values, `in_stride` apart, by kLanes columns of a matrix.
template <std::size_t kBlocks>
CLEAVE_INLINED void MultiplyTile(const float* in, std::size_t in_stride, std::size_t channels,
                                 const float* matrix, std::size_t matrix_stride, float scale,
                                 float* out, std::size_t out_stride) {
  Lanes sums[kBlocks] = {};
  for (std::size_t channel = 0; channel < channels; ++channel) {
    Lanes row;
    Load(matrix + channel * matrix_stride, row);
    for (std::size_t block = 0; block < kBlocks; ++block) {
      sums[block] += in[block * in_stride + channel] * row;
    }
  }
  for (std::size_t block = 0; block < kBlocks; ++block) {
    Store(scale * sums[block], out + block * out_stride);
  }
}

// Multiplies `blocks` rows of `channels` values, `in_stride` apart, by a matrix of channels x
// `components`, which are a multiple of kLanes; the products are `out_stride` apart.
CLEAVE_VECTORIZED void Multiply(const float* in, std::size_t in_stride, std::size_t blocks,
                                std::size_t channels, const float* matrix, std::size_t components,
                                float scale, float* out, std::size_t out_stride) {
  for (std::size_t first = 0; first < components; first += kLanes) {
    std::size_t block = 0;
    for (; block + kBlocksAtOnce <= blocks; block += kBlocksAtOnce) {
      MultiplyTile<kBlocksAtOnce>(in + block * in_stride, in_stride, channels, matrix + first,
                                  components, scale, out + block * out_stride + first, out_stride);
    }
    for (; block < blocks; ++block) {
      MultiplyTile<1>(in + block * in_stride, in_stride, channels, matrix + first, components,
                      scale, out + block * out_stride + first, out_stride);
    }
  }
}

// Writes the sum of some rows of a matrix, each by a factor: kTiles times kLanes columns.
template <std::size_t kTiles>
CLEAVE_INLINED void SumTiles(const float* factors, const std::uint16_t* rows, std::size_t count,
                             const float* matrix, std::size_t matrix_stride, float scale,
                             float* out) {
  Lanes sums[kTiles] = {};
  for (std::size_t i = 0; i < count; ++i) {
    const float factor = scale * factors[rows[i]];
    const float* row = matrix + rows[i] * matrix_stride;
    for (std::size_t tile = 0; tile < kTiles; ++tile) {
      Lanes values;
      Load(row + tile * kLanes, values);
      sums[tile] += factor * values;
    }
  }
  for (std::size_t tile = 0; tile < kTiles; ++tile) Store(sums[tile], out + tile * kLanes);
}

// Writes the sum of a matrix's rows of `columns` values, a multiple of kLanes, each by a factor;
// most factors are 0.
CLEAVE_VECTORIZED void SumRows(const float* factors, std::size_t count, const float* matrix,
                               std::size_t columns, float scale, float* out) {
  std::uint16_t rows[kMostCodecChannels];
  std::size_t nonzero = 0;
  std::uint32_t any = 0;
  for (std::size_t i = 0; i < count; ++i) any |= factors[i] != 0 ? 1 : 0;
  for (std::size_t i = 0; any != 0 && i < count; ++i) {
    rows[nonzero] = static_cast<std::uint16_t>(i);
    nonzero += factors[i] != 0 ? 1 : 0;
  }
  constexpr std::size_t kTiles = 4;
  std::size_t first = 0;
  for (; first + kTiles * kLanes <= columns; first += kTiles * kLanes) {
    SumTiles<kTiles>(factors, rows, nonzero, matrix + first, columns, scale, out + first);
  }
  for (; first < columns; first += kLanes) {
    SumTiles<1>(factors, rows, nonzero, matrix + first, columns, scale, out + first);
  }
}

}  // namespace

absl::Status TensorCodecParameters::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange("channels", channels, 1, kMostCodecChannels));
  if (block_side != 1 && block_side != BlockLayout::kBlockSide) {
    return FieldError("block_side", absl::StrCat(block_side),
                      absl::StrCat("1 or ", BlockLayout::kBlockSide));
  }
  if (!(lambda >= 0 && lambda <= 10)) return FieldError("lambda", lambda, "0 to 10");
  const auto count = static_cast<std::size_t>(channels);
  const std::size_t matrix = count * count * static_cast<std::size_t>(block_side * block_side);
  CLEAVE_RETURN_IF_ERROR(CheckCount("mean", mean.size(), count));
  CLEAVE_RETURN_IF_ERROR(CheckCount("forward", forward.size(), matrix));
  CLEAVE_RETURN_IF_ERROR(CheckCount("inverse", inverse.size(), matrix));
  for (std::size_t i = 0; i < rates.size(); ++i) {
    const Rate& rate = rates[i];
    const std::string at = absl::StrCat("rate t", i + 1);
    if (!(rate.step > 0 && std::isfinite(rate.step))) {
      return FieldError(at + ": step", rate.step, "a number above 0");
    }
    for (const float bytes : {rate.mean_bytes, rate.most_bytes}) {
      if (bytes >= 0 && std::isfinite(bytes)) continue;
      return FieldError(at + ": bytes", bytes, "a number of at least 0");
    }
    absl::Status status = rate.model.Validate();
    if (status.ok() &&
        (rate.model.bands() != block_side * block_side || rate.model.components != channels)) {
      status = FieldError(
          "model",
          absl::StrCat(rate.model.bands(), " bands of ", rate.model.components, " components"),
          absl::StrCat(block_side * block_side, " of ", channels));
    }
    if (!status.ok()) return absl::Status(status.code(), absl::StrCat(at, ": ", status.message()));
  }
  return absl::OkStatus();
}

absl::StatusOr<TensorCodec> TensorCodec::Create(TensorCodecParameters parameters) {
  CLEAVE_RETURN_IF_ERROR(parameters.Validate());
  return TensorCodec(std::move(parameters));
}

TensorCodec::TensorCodec(TensorCodecParameters parameters) : parameters_(std::move(parameters)) {
  const auto channels = static_cast<std::size_t>(parameters_.channels);
  const auto bands = static_cast<std::size_t>(parameters_.block_side) *
                     static_cast<std::size_t>(parameters_.block_side);
  padded_ = (channels + kLanes - 1) / kLanes * kLanes;
  forward_.resize(bands * channels * padded_);
  inverse_.resize(bands * channels * padded_);
  for (const TensorCodecParameters::Rate& rate : parameters_.rates) {
    costs_.emplace_back(rate.model);
  }
  for (std::size_t band = 0; band < bands; ++band) {
    for (std::size_t i = 0; i < channels; ++i) {
      const float* row = parameters_.forward.data() + (band * channels + i) * channels;
      for (std::size_t channel = 0; channel < channels; ++channel) {
        forward_[(band * channels + channel) * padded_ + i] = row[channel];
      }
      std::copy_n(parameters_.inverse.data() + (band * channels + i) * channels, channels,
                  inverse_.data() + (band * channels + i) * padded_);
    }
  }
}

absl::StatusOr<BlockLayout> TensorCodec::LayoutOf(const Shape& shape) const {
  CLEAVE_ASSIGN_OR_RETURN(const BlockLayout layout, BlockLayout::Of(shape, parameters_.block_side));
  if (layout.channels == parameters_.channels) return layout;
  return FieldError("shape", ShapeString(shape),
                    absl::StrCat(parameters_.channels, " channels, as the codec has"));
}

bool TensorCodec::Takes(const Shape& shape) const { return LayoutOf(shape).ok(); }

void TensorCodec::Project(const BlockLayout& layout, std::span<const float> item, float scale,
                          std::span<float> components) const {
  const auto channels = static_cast<std::size_t>(layout.channels);
  const auto bands = static_cast<std::size_t>(layout.bands());
  const auto columns = static_cast<std::size_t>(layout.columns());
  std::vector<float> coefficients(layout.row_coefficients());
  std::vector<float> padded(padded_ == channels ? 0 : columns * padded_);
  for (int row = 0; row < layout.rows(); ++row) {
    ToCoefficients(layout, row, item, parameters_.mean, coefficients);
    float* to = components.data() + static_cast<std::size_t>(row) * coefficients.size();
    for (std::size_t band = 0; band < bands; ++band) {
      const float* in = coefficients.data() + band * channels;
      const float* matrix = forward_.data() + band * channels * padded_;
      float* out = to + band * channels;
      if (padded.empty()) {
        Multiply(in, bands * channels, columns, channels, matrix, padded_, scale, out,
                 bands * channels);
        continue;
      }
      Multiply(in, bands * channels, columns, channels, matrix, padded_, scale, padded.data(),
               padded_);
      for (std::size_t column = 0; column < columns; ++column) {
        std::copy_n(padded.data() + column * padded_, channels, out + column * bands * channels);
      }
    }
  }
}

void TensorCodec::Reconstruct(const BlockLayout& layout, std::span<const float> components,
                              float scale, std::span<float> item) const {
  const std::size_t size = layout.row_coefficients();
  for (int row = 0; row < layout.rows(); ++row) {
    ReconstructRow(layout, row, components.subspan(static_cast<std::size_t>(row) * size, size),
                   scale, item);
  }
}

void TensorCodec::ReconstructRow(const BlockLayout& layout, int row,
                                 std::span<const float> components, float scale,
                                 std::span<float> item) const {
  const auto channels = static_cast<std::size_t>(layout.channels);
  const auto bands = static_cast<std::size_t>(layout.bands());
  // The last sums reach over the end by what is padded.
  std::vector<float> coefficients(components.size() + padded_ - channels);
  for (std::size_t at = 0; at < components.size() / channels; ++at) {
    SumRows(components.data() + at * channels, channels,
            inverse_.data() + at % bands * channels * padded_, padded_, scale,
            coefficients.data() + at * channels);
  }
  FromCoefficients(layout, row, std::span(coefficients).first(components.size()), parameters_.mean,
                   item);
}

absl::StatusOr<CodedTensor> TensorCodec::Encode(const Tensor& tensor, int rate) const {
  if (tensor.dtype() != DataType::kFloat32) {
    return FieldError("tensor", DataTypeName(tensor.dtype()), "FP32");
  }
  CLEAVE_ASSIGN_OR_RETURN(const BlockLayout layout, LayoutOf(tensor.shape()));
  // The ranges themselves are not needed, but whoever looks for them finds what is not finite.
  CLEAVE_RETURN_IF_ERROR(FindRanges(tensor.floats(), {}).status());
  const TensorCodecParameters::Rate& how = parameters_.rates[static_cast<std::size_t>(rate)];
  RangeEncoder out;
  CoefficientEncoder encoder(how.model, costs_[static_cast<std::size_t>(rate)], out);
  std::vector<float> components(layout.coefficients());
  for (std::int64_t item = 0; item < layout.items; ++item) {
    const auto values = tensor.floats().subspan(
        static_cast<std::size_t>(item) * layout.item_elements(), layout.item_elements());
    Project(layout, values, 1 / how.step, components);
    CLEAVE_RETURN_IF_ERROR(
        encoder.Encode(components, layout.rows(), layout.columns(), parameters_.lambda));
  }
  CodedTensor coded;
  coded.bytes = std::move(out).Finish();
  coded.unfamiliar = static_cast<float>(coded.bytes.size()) >
                     kUnfamiliar * how.most_bytes * static_cast<float>(tensor.elements());
  return coded;
}

absl::StatusOr<Tensor> TensorCodec::Decode(absl::string_view bytes, const Shape& shape,
                                           int rate) const {
  CLEAVE_ASSIGN_OR_RETURN(const BlockLayout layout, LayoutOf(shape));
  CLEAVE_ASSIGN_OR_RETURN(const std::int64_t elements, ElementCount(shape));
  const std::shared_ptr<float[]> values(
      new (std::nothrow) float[static_cast<std::size_t>(elements)]);
  if (values == nullptr) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for ", elements, " elements"));
  }
  const TensorCodecParameters::Rate& how = parameters_.rates[static_cast<std::size_t>(rate)];
  RangeDecoder in(bytes);
  CoefficientDecoder decoder(how.model, in);
  for (std::int64_t i = 0; i < layout.items; ++i) {
    const std::span<float> item(values.get() + static_cast<std::size_t>(i) * layout.item_elements(),
                                layout.item_elements());
    CLEAVE_RETURN_IF_ERROR(decoder.Decode(layout.rows(), layout.columns(),
                                          [&](int row, std::span<const float> components) {
                                            ReconstructRow(layout, row, components, how.step, item);
                                          }));
  }
  if (!in.AtEnd()) return FieldError("payload", "bytes behind the last coefficient", "none");
  return Tensor::Wrap(DataType::kFloat32, shape, values.get(),
                      static_cast<std::size_t>(elements) * sizeof(float), values);
}

}  // namespace cleave
