#ifndef CLEAVE_CODEC_TENSOR_CODEC_H_
#define CLEAVE_CODEC_TENSOR_CODEC_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/tensor.h"
#include "codec/block_transform.h"
#include "codec/coefficient_coder.h"

namespace cleave {

// The encodings t1 to t6, finest first.
inline constexpr int kCodecRates = 6;
inline constexpr int kMostCodecChannels = 1024;

// What a codec of one tensor was fitted to be (docs/tensor-codec.md). A plain value.
struct TensorCodecParameters {
  struct Rate {
    float step = 1;  // Of every component alike, since equal errors of all count equally.
    CoefficientModel model;
    // Bytes for each element of the tensors that the codec was fitted to: the mean, and the most of
    // any of them.
    float mean_bytes = 0;
    float most_bytes = 0;
  };

  int channels = 1;
  int block_side = 1;          // 1 or BlockLayout::kBlockSide.
  float lambda = 0;            // What a bit is worth in squared steps, for the encoder.
  std::vector<float> mean;     // By channel.
  std::vector<float> forward;  // [band][component][channel]: as many components.
  std::vector<float> inverse;  // [band][component][channel].
  std::array<Rate, kCodecRates> rates;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// A tensor as bytes.
struct CodedTensor {
  std::string bytes;
  // Whether it took half as many bytes again as any tensor that the codec was fitted to, and so is
  // most likely something that the codec does not know. It is coded correctly all the same.
  bool unfamiliar = false;
};

// Transform coding of one tensor of a model: channels and, in a plane, blocks of 4 x 4 positions
// are transformed so that errors of all components count equally in the model's outputs, quantized
// by one step and coded by an adaptive range coder. Immutable; thread-safe.
class TensorCodec {
 public:
  // Errors are those of TensorCodecParameters::Validate.
  static absl::StatusOr<TensorCodec> Create(TensorCodecParameters parameters);

  const TensorCodecParameters& parameters() const { return parameters_; }

  // Whether tensors of this shape can be coded: any batch, any plane or sequence, these channels.
  bool Takes(const Shape& shape) const;

  // Codes an FP32 tensor. InvalidArgument for another type or shape, and for an element that is
  // infinite or not a number, with its position; OutOfRange where one is too large for any code.
  // REQUIRES: rate is 0 to kCodecRates - 1.
  absl::StatusOr<CodedTensor> Encode(const Tensor& tensor, int rate) const;

  // Decodes a tensor of this shape. InvalidArgument for a shape that it does not take and for bytes
  // that are not those of such a tensor. ResourceExhausted where there is no memory for it.
  // Coefficients are exact on every machine, and elements equal within 1e-5 of their range.
  // REQUIRES: as Encode.
  absl::StatusOr<Tensor> Decode(absl::string_view bytes, const Shape& shape, int rate) const;

  // The layout of a tensor of this shape. Errors are those of Encode.
  absl::StatusOr<BlockLayout> LayoutOf(const Shape& shape) const;

  // The transform alone: `scale` times the components of one item, [block][band][component], and
  // back. REQUIRES: the layout is that of a tensor that this takes, and the spans are as long as it
  // says.
  void Project(const BlockLayout& layout, std::span<const float> item, float scale,
               std::span<float> components) const;
  void Reconstruct(const BlockLayout& layout, std::span<const float> components, float scale,
                   std::span<float> item) const;

 private:
  explicit TensorCodec(TensorCodecParameters parameters);

  // Reconstructs one row of blocks.
  void ReconstructRow(const BlockLayout& layout, int row, std::span<const float> components,
                      float scale, std::span<float> item) const;

  TensorCodecParameters parameters_;
  std::size_t padded_ = 0;             // Components, up to a multiple of what is computed at once.
  std::vector<float> forward_;         // [band][channel][padded component].
  std::vector<float> inverse_;         // [band][component][padded channel].
  std::vector<MagnitudeCosts> costs_;  // By rate.
};

}  // namespace cleave

#endif  // CLEAVE_CODEC_TENSOR_CODEC_H_
