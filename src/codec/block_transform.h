#ifndef CLEAVE_CODEC_BLOCK_TRANSFORM_H_
#define CLEAVE_CODEC_BLOCK_TRANSFORM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "absl/status/statusor.h"
#include "cleave/tensor.h"

// Internal to src/codec and to what fits codecs: a tensor as blocks of coefficients.

namespace cleave {

// How a tensor is seen: a batch of items, each a plane of positions with a number of channels,
// which blocks of kBlockSide x kBlockSide positions cover. Vectors and sequences have blocks of a
// single position. Coefficients lie as [block][band][channel], where a band is a frequency of the
// block, lower ones first, and blocks go row by row.
struct BlockLayout {
  static constexpr int kBlockSide = 4;

  std::int64_t items = 1;
  int channels = 1;
  int height = 1;
  int width = 1;
  int side = 1;                // Of a block: 1 or kBlockSide.
  bool channels_last = false;  // [items, positions, channels] in place of [items, channels, ...].

  // [N, C, H, W] has planes of H x W; [N, T, C] and [N, C] have one row of T positions or one
  // position. Without a `block_side`, planes of at least kBlockSide x kBlockSide have blocks of
  // that side. InvalidArgument for another rank, no elements, dimensions beyond 2^20, or blocks of
  // kBlockSide where there is no plane.
  static absl::StatusOr<BlockLayout> Of(const Shape& shape,
                                        std::optional<int> block_side = std::nullopt);

  int rows() const { return (height + side - 1) / side; }  // Of blocks.
  int columns() const { return (width + side - 1) / side; }
  int blocks() const { return rows() * columns(); }  // Of one item.
  int bands() const { return side * side; }
  std::size_t row_coefficients() const {  // Of one row of blocks.
    return static_cast<std::size_t>(columns()) * static_cast<std::size_t>(bands()) *
           static_cast<std::size_t>(channels);
  }
  std::size_t coefficients() const {  // Of one item.
    return static_cast<std::size_t>(rows()) * row_coefficients();
  }
  std::size_t item_elements() const {
    return static_cast<std::size_t>(channels) * static_cast<std::size_t>(height) *
           static_cast<std::size_t>(width);
  }
};

// Subtracts each channel's mean from an item's elements and transforms every block by an
// orthonormal discrete cosine transform. Where the last blocks reach over the plane's edge, the
// edge is repeated. REQUIRES: `item` has item_elements() values, `mean` one for each channel and
// `coefficients` room for coefficients() values. Thread-safe.
void ToCoefficients(const BlockLayout& layout, std::span<const float> item,
                    std::span<const float> mean, std::span<float> coefficients);

// Undoes ToCoefficients up to rounding. REQUIRES: as there.
void FromCoefficients(const BlockLayout& layout, std::span<const float> coefficients,
                      std::span<const float> mean, std::span<float> item);

// Do the same for one row of the item's blocks, 0 to rows() - 1, which has row_coefficients()
// coefficients.
void ToCoefficients(const BlockLayout& layout, int row, std::span<const float> item,
                    std::span<const float> mean, std::span<float> coefficients);
void FromCoefficients(const BlockLayout& layout, int row, std::span<const float> coefficients,
                      std::span<const float> mean, std::span<float> item);

}  // namespace cleave

#endif  // CLEAVE_CODEC_BLOCK_TRANSFORM_H_
