#include "codec/block_transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

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

// One of kLanes channels in each lane; by position, row by row, or by frequency.
using Block = std::array<Lanes, kBands>;

// Multiplies a row or column of a block, `stride` lanes apart, by the cosines or their transpose.
template <bool kTransposed>
CLEAVE_INLINED void MultiplyByCosines(const Lanes* in, Lanes* out, std::size_t stride) {
  for (std::size_t k = 0; k < kSide; ++k) {
    Lanes sum{};
    for (std::size_t x = 0; x < kSide; ++x) {
      const float cosine = kTransposed ? kCosines[x][k] : kCosines[k][x];
      sum += cosine * in[x * stride];
    }
    out[k * stride] = sum;
  }
}

CLEAVE_INLINED void Forward(const Block& in, Block& out) {
  Block rows;
  for (std::size_t y = 0; y < kSide; ++y)
    MultiplyByCosines<false>(&in[y * kSide], &rows[y * kSide], 1);
  for (int x = 0; x < kSide; ++x) MultiplyByCosines<false>(&rows[x], &out[x], kSide);
}

CLEAVE_INLINED void Inverse(const Block& in, Block& out) {
  Block rows;
  for (int x = 0; x < kSide; ++x) MultiplyByCosines<true>(&in[x], &rows[x], kSide);
  for (std::size_t y = 0; y < kSide; ++y)
    MultiplyByCosines<true>(&rows[y * kSide], &out[y * kSide], 1);
}

// What a row of blocks is of some channels, up to kLanes of them: `item` and `mean` begin at the
// first of them, and so do `coefficients`, which are those of the row.
struct Strip {
  int row = 0;
  std::size_t lanes = kLanes;
  const float* mean = nullptr;
};

CLEAVE_VECTORIZED void ForwardStrip(const BlockLayout& layout, const Strip& strip,
                                    const float* item, float* coefficients) {
  const auto [channels, width] =
      std::pair(static_cast<std::size_t>(layout.channels), static_cast<std::size_t>(layout.width));
  const std::size_t plane = width * static_cast<std::size_t>(layout.height);
  Block in{};
  Block out;
  for (int column = 0; column < layout.columns(); ++column) {
    const bool inside = (column + 1) * kSide <= layout.width;
    for (std::size_t lane = 0; lane < strip.lanes; ++lane) {
      for (int y = 0; y < kSide; ++y) {
        const auto at =
            static_cast<std::size_t>(std::min(strip.row * kSide + y, layout.height - 1));
        const float* from = item + lane * plane + at * width;
        for (int x = 0; x < kSide; ++x) {
          const int place = column * kSide + x;
          in[y * kSide + x][lane] =
              from[inside ? place : std::min(place, layout.width - 1)] - strip.mean[lane];
        }
      }
    }
    Forward(in, out);
    for (int i = 0; i < kBands; ++i) {
      float* to = coefficients + static_cast<std::size_t>(kBandOf[i]) * channels;
      if (strip.lanes == kLanes) {
        Store(out[i], to);
      } else {
        std::memcpy(to, &out[i], strip.lanes * sizeof(float));
      }
    }
    coefficients += channels * kBands;
  }
}

CLEAVE_VECTORIZED void InverseStrip(const BlockLayout& layout, const Strip& strip,
                                    const float* coefficients, float* item) {
  const auto [channels, width] =
      std::pair(static_cast<std::size_t>(layout.channels), static_cast<std::size_t>(layout.width));
  const std::size_t plane = width * static_cast<std::size_t>(layout.height);
  const int height = std::min(kSide, layout.height - strip.row * kSide);
  Block in{};
  Block out;
  for (int column = 0; column < layout.columns(); ++column) {
    for (int i = 0; i < kBands; ++i) {
      const float* from = coefficients + static_cast<std::size_t>(kBandOf[i]) * channels;
      if (strip.lanes == kLanes) {
        Load(from, in[i]);
      } else {
        std::memcpy(&in[i], from, strip.lanes * sizeof(float));
      }
    }
    coefficients += channels * kBands;
    Inverse(in, out);
    const int filled = std::min(kSide, layout.width - column * kSide);
    for (std::size_t lane = 0; lane < strip.lanes; ++lane) {
      float* to = item + lane * plane + static_cast<std::size_t>(strip.row * kSide) * width +
                  static_cast<std::size_t>(column * kSide);
      for (int y = 0; y < height; ++y) {
        for (int x = 0; x < filled; ++x) to[x] = out[y * kSide + x][lane] + strip.mean[lane];
        to += width;
      }
    }
  }
}

// Calls `transform` with the channels of a row of blocks, up to kLanes at a time, and the first.
template <typename Transform>
void ForEachStrip(const BlockLayout& layout, int row, std::span<const float> mean,
                  const Transform& transform) {
  const auto channels = static_cast<std::size_t>(layout.channels);
  for (std::size_t first = 0; first < channels; first += kLanes) {
    transform(Strip{row, std::min(kLanes, channels - first), mean.data() + first}, first);
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

void ToCoefficients(const BlockLayout& layout, int row, std::span<const float> item,
                    std::span<const float> mean, std::span<float> coefficients) {
  if (layout.side == kSide) {
    const std::size_t plane = item.size() / static_cast<std::size_t>(layout.channels);
    ForEachStrip(layout, row, mean, [&](const Strip& strip, std::size_t first) {
      ForwardStrip(layout, strip, item.data() + first * plane, coefficients.data() + first);
    });
    return;
  }
  float* to = coefficients.data();
  for (int at = row * layout.width; at < (row + 1) * layout.width; ++at) {
    for (int channel = 0; channel < layout.channels; ++channel) {
      *to++ = item[IndexOf(layout, channel, at)] - mean[static_cast<std::size_t>(channel)];
    }
  }
}

void FromCoefficients(const BlockLayout& layout, int row, std::span<const float> coefficients,
                      std::span<const float> mean, std::span<float> item) {
  if (layout.side == kSide) {
    const std::size_t plane = item.size() / static_cast<std::size_t>(layout.channels);
    ForEachStrip(layout, row, mean, [&](const Strip& strip, std::size_t first) {
      InverseStrip(layout, strip, coefficients.data() + first, item.data() + first * plane);
    });
    return;
  }
  const float* from = coefficients.data();
  for (int at = row * layout.width; at < (row + 1) * layout.width; ++at) {
    for (int channel = 0; channel < layout.channels; ++channel) {
      item[IndexOf(layout, channel, at)] = *from++ + mean[static_cast<std::size_t>(channel)];
    }
  }
}

void ToCoefficients(const BlockLayout& layout, std::span<const float> item,
                    std::span<const float> mean, std::span<float> coefficients) {
  for (int row = 0; row < layout.rows(); ++row) {
    ToCoefficients(layout, row, item, mean,
                   coefficients.subspan(static_cast<std::size_t>(row) * layout.row_coefficients(),
                                        layout.row_coefficients()));
  }
}

void FromCoefficients(const BlockLayout& layout, std::span<const float> coefficients,
                      std::span<const float> mean, std::span<float> item) {
  for (int row = 0; row < layout.rows(); ++row) {
    FromCoefficients(layout, row,
                     coefficients.subspan(static_cast<std::size_t>(row) * layout.row_coefficients(),
                                          layout.row_coefficients()),
                     mean, item);
  }
}

}  // namespace cleave
