#include "codec/block_transform.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "codec/vectorized.h"
#include "core/check.h"

namespace cleave {
namespace {

constexpr int kSide = BlockLayout::kBlockSide;
constexpr int kBands = kSide * kSide;
constexpr std::int64_t kMostOfDimension = std::int64_t{1} << 20;

// Element [k][x] is the k-th cosine at x: cos(pi / 4 * k * (x + 1/2)), of length 1.
constexpr float kHalf = 0.5F;
constexpr float kWide = 0.65328148F;    // cos(pi / 8) / sqrt(2)
constexpr float kNarrow = 0.27059805F;  // sin(pi / 8) / sqrt(2)
constexpr std::array<std::array<float, kSide>, kSide> kCosines = {
    {{kHalf, kHalf, kHalf, kHalf},
     {kWide, kNarrow, -kNarrow, -kWide},
     {kHalf, -kHalf, -kHalf, kHalf},
     {kNarrow, -kWide, kWide, -kNarrow}}};

// The place of a frequency [y][x] among the bands: by the sum of both, then by the rows.
constexpr std::array<int, kBands> kBandOf = {0, 1, 3, 6, 2, 4, 7, 10, 5, 8, 11, 13, 9, 12, 14, 15};

using Block = std::array<float, kBands>;

CLEAVE_INLINED void Forward(const Block& in, Block& out) {
  Block rows;
  for (int y = 0; y < kSide; ++y) {
    for (int k = 0; k < kSide; ++k) {
      float sum = 0;
      for (int x = 0; x < kSide; ++x) sum += kCosines[k][x] * in[y * kSide + x];
      rows[y * kSide + k] = sum;
    }
  }
  for (int k = 0; k < kSide; ++k) {
    for (int x = 0; x < kSide; ++x) {
      float sum = 0;
      for (int y = 0; y < kSide; ++y) sum += kCosines[k][y] * rows[y * kSide + x];
      out[k * kSide + x] = sum;
    }
  }
}

CLEAVE_INLINED void Inverse(const Block& in, Block& out) {
  Block rows;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      float sum = 0;
      for (int k = 0; k < kSide; ++k) sum += kCosines[k][y] * in[k * kSide + x];
      rows[y * kSide + x] = sum;
    }
  }
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      float sum = 0;
      for (int k = 0; k < kSide; ++k) sum += kCosines[k][x] * rows[y * kSide + k];
      out[y * kSide + x] = sum;
    }
  }
}

void ForwardPlane(const BlockLayout& layout, const float* plane, float mean, float* out) {
  const std::size_t block_stride = static_cast<std::size_t>(layout.channels) * kBands;
  for (int row = 0; row < layout.rows(); ++row) {
    for (int column = 0; column < layout.columns(); ++column) {
      Block in;
      for (int y = 0; y < kSide; ++y) {
        const float* from =
            plane + static_cast<std::size_t>(std::min(row * kSide + y, layout.height - 1)) *
                        static_cast<std::size_t>(layout.width);
        for (int x = 0; x < kSide; ++x) {
          in[y * kSide + x] = from[std::min(column * kSide + x, layout.width - 1)] - mean;
        }
      }
      Block block;
      Forward(in, block);
      for (int i = 0; i < kBands; ++i) {
        out[static_cast<std::size_t>(kBandOf[i]) * static_cast<std::size_t>(layout.channels)] =
            block[i];
      }
      out += block_stride;
    }
  }
}

void InversePlane(const BlockLayout& layout, const float* in, float mean, float* plane) {
  const std::size_t block_stride = static_cast<std::size_t>(layout.channels) * kBands;
  for (int row = 0; row < layout.rows(); ++row) {
    const int height = std::min(kSide, layout.height - row * kSide);
    for (int column = 0; column < layout.columns(); ++column) {
      Block block;
      for (int i = 0; i < kBands; ++i) {
        block[i] =
            in[static_cast<std::size_t>(kBandOf[i]) * static_cast<std::size_t>(layout.channels)];
      }
      in += block_stride;
      Block out;
      Inverse(block, out);
      const int width = std::min(kSide, layout.width - column * kSide);
      for (int y = 0; y < height; ++y) {
        float* to = plane + static_cast<std::size_t>(row * kSide + y) *
                                static_cast<std::size_t>(layout.width);
        for (int x = 0; x < width; ++x) to[column * kSide + x] = out[y * kSide + x] + mean;
      }
    }
  }
}

// Where element `channel` of position `position` lies in an item without blocks.
std::size_t IndexOf(const BlockLayout& layout, int channel, int position) {
  const auto [c, p] =
      std::pair(static_cast<std::size_t>(channel), static_cast<std::size_t>(position));
  return layout.channels_last ? p * static_cast<std::size_t>(layout.channels) + c
                              : c * static_cast<std::size_t>(layout.blocks()) + p;
}

}  // namespace

absl::StatusOr<BlockLayout> BlockLayout::Of(const Shape& shape, std::optional<int> block_side) {
  const bool fits = shape.size() >= 2 && shape.size() <= 4 &&
                    std::all_of(shape.begin(), shape.end(), [](std::int64_t size) {
                      return size >= 1 && size <= kMostOfDimension;
                    });
  if (!fits) {
    return FieldError("shape", ShapeString(shape),
                      "two to four dimensions of 1 to 2^20: items and channels with or without "
                      "rows and columns, or items, positions and channels");
  }
  BlockLayout layout;
  layout.items = shape[0];
  layout.channels_last = shape.size() == 3;
  layout.channels = static_cast<int>(shape[layout.channels_last ? 2 : 1]);
  if (layout.channels_last) layout.width = static_cast<int>(shape[1]);
  if (shape.size() == 4) {
    layout.height = static_cast<int>(shape[2]);
    layout.width = static_cast<int>(shape[3]);
  }
  const bool plane = layout.height >= kBlockSide && layout.width >= kBlockSide;
  layout.side = block_side.value_or(plane ? kBlockSide : 1);
  if (layout.side == 1 || (layout.side == kBlockSide && shape.size() == 4)) return layout;
  return FieldError("shape", ShapeString(shape),
                    absl::StrCat("a plane for blocks of ", layout.side, " x ", layout.side));
}

void ToCoefficients(const BlockLayout& layout, std::span<const float> item,
                    std::span<const float> mean, std::span<float> coefficients) {
  for (int channel = 0; channel < layout.channels; ++channel) {
    const float channel_mean = mean[static_cast<std::size_t>(channel)];
    float* out = coefficients.data() + channel;
    if (layout.side == kSide) {
      const std::size_t plane =
          static_cast<std::size_t>(layout.height) * static_cast<std::size_t>(layout.width);
      ForwardPlane(layout, item.data() + static_cast<std::size_t>(channel) * plane, channel_mean,
                   out);
      continue;
    }
    for (int at = 0; at < layout.blocks(); ++at) {
      out[static_cast<std::size_t>(at) * static_cast<std::size_t>(layout.channels)] =
          item[IndexOf(layout, channel, at)] - channel_mean;
    }
  }
}

void FromCoefficients(const BlockLayout& layout, std::span<const float> coefficients,
                      std::span<const float> mean, std::span<float> item) {
  for (int channel = 0; channel < layout.channels; ++channel) {
    const float channel_mean = mean[static_cast<std::size_t>(channel)];
    const float* in = coefficients.data() + channel;
    if (layout.side == kSide) {
      const std::size_t plane =
          static_cast<std::size_t>(layout.height) * static_cast<std::size_t>(layout.width);
      InversePlane(layout, in, channel_mean,
                   item.data() + static_cast<std::size_t>(channel) * plane);
      continue;
    }
    for (int at = 0; at < layout.blocks(); ++at) {
      item[IndexOf(layout, channel, at)] =
          in[static_cast<std::size_t>(at) * static_cast<std::size_t>(layout.channels)] +
          channel_mean;
    }
  }
}

}  // namespace cleave
