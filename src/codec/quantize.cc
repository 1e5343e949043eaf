#include "codec/quantize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "codec/kernels.h"

namespace cleave {
namespace {

// The levels of so many elements stay in the first-level cache between quantizing and packing. It
// is a multiple of 8, so that every chunk starts with a whole byte.
constexpr std::int64_t kChunk = 4096;

// Under AddressSanitizer GCC 12 misplaces variables that are aligned to more than 32 bytes (its bug
// 110027).
struct Chunk {
  alignas(32) std::array<std::uint8_t, kChunk> levels;
  alignas(32) std::array<std::uint8_t, kChunk + kPackSlack> packed;
};

std::int64_t GroupsOf(std::int64_t elements) { return (elements + 7) / 8; }

// What an element is shifted by and multiplied with, one pair for each channel.
struct Affine {
  std::vector<double> least;
  std::vector<double> factor;
};

double RangeOf(const ValueRange& range) {
  return static_cast<double>(range.max) - static_cast<double>(range.min);
}

Affine ToLevels(std::span<const ValueRange> ranges, int bits) {
  const double top = (1 << bits) - 1;
  Affine affine;
  for (const ValueRange& range : ranges) {
    affine.least.push_back(range.min);
    affine.factor.push_back(range.max > range.min ? top / RangeOf(range) : 0);
  }
  return affine;
}

Affine ToValues(std::span<const ValueRange> ranges, int bits) {
  const double top = (1 << bits) - 1;
  Affine affine;
  for (const ValueRange& range : ranges) {
    affine.least.push_back(range.min);
    affine.factor.push_back(RangeOf(range) / top);
  }
  return affine;
}

// Calls f(channel, begin, count) for each stretch of [begin, end) that lies within one channel.
template <typename Function>
void ForEachRun(const RangeLayout& layout, std::int64_t begin, std::int64_t end, Function f) {
  while (begin < end) {
    const std::int64_t row = begin / layout.inner;
    const std::int64_t stop = std::min(end, (row + 1) * layout.inner);
    f(row % layout.channels, begin, stop - begin);
    begin = stop;
  }
}

// Calls f(first channel, begin, count) for each stretch of neighbouring channels. REQUIRES:
// layout.inner == 1.
template <typename Function>
void ForEachRow(const RangeLayout& layout, std::int64_t begin, std::int64_t end, Function f) {
  ForEachRun({.channels = 1, .inner = layout.channels}, begin, end,
             [&](std::int64_t, std::int64_t at, std::int64_t count) {
               f(at % layout.channels, at, count);
             });
}

// A single channel is one run, whatever `inner` says.
RangeLayout Simplified(const RangeLayout& layout, std::size_t elements) {
  if (layout.channels > 1) return layout;
  return {.channels = 1, .inner = std::max<std::int64_t>(1, static_cast<std::int64_t>(elements))};
}

// Says whether the last axis is that of the channels, so that neighbouring elements differ in
// channel.
bool ChannelsLast(const RangeLayout& layout) { return layout.channels > 1 && layout.inner == 1; }

// Writes the levels of [begin, end), which start with a whole byte, to chunk.levels.
void UnpackChunk(absl::string_view packed, int bits, std::int64_t begin, std::int64_t end,
                 Chunk& chunk) {
  const std::int64_t groups = GroupsOf(end - begin);
  const std::int64_t bytes = PackedBytes(end - begin, bits);
  std::memcpy(chunk.packed.data(), packed.data() + begin / 8 * bits, bytes);
  // The last group reads these bytes, which belong to no level.
  std::fill_n(chunk.packed.data() + bytes, groups * bits + kPackSlack - bytes, 0);
  UnpackLevels(bits, chunk.packed.data(), groups, chunk.levels.data());
}

// levels_of(begin, end) returns the levels of a chunk, a byte for each.
template <typename LevelsOf>
void DequantizeChunks(const RangeLayout& given, std::span<const ValueRange> ranges, int bits,
                      std::span<float> values, LevelsOf levels_of) {
  const RangeLayout layout = Simplified(given, values.size());
  const Affine affine = ToValues(ranges, bits);
  const auto size = static_cast<std::int64_t>(values.size());
  for (std::int64_t begin = 0; begin < size; begin += kChunk) {
    const std::int64_t end = std::min(begin + kChunk, size);
    const std::uint8_t* chunk = levels_of(begin, end);
    const auto dequantize = [&](std::int64_t channel, std::int64_t at, std::int64_t count) {
      const std::uint8_t* levels = chunk + (at - begin);
      if (ChannelsLast(layout)) {
        DequantizeEach(levels, count, &affine.least[channel], &affine.factor[channel],
                       values.data() + at);
      } else {
        Dequantize(levels, count, affine.least[channel], affine.factor[channel],
                   values.data() + at);
      }
    };
    ChannelsLast(layout) ? ForEachRow(layout, begin, end, dequantize)
                         : ForEachRun(layout, begin, end, dequantize);
  }
}

// REQUIRES: at least one value is not finite.
absl::Status RefuseNotFinite(std::span<const float> values) {
  const auto first = std::find_if_not(values.begin(), values.end(),
                                      [](float value) { return std::isfinite(value); });
  return absl::InvalidArgumentError(absl::StrCat("element ", first - values.begin(), ": found ",
                                                 *first, ", expected a finite number"));
}

}  // namespace

std::int64_t PackedBytes(std::int64_t elements, int bits) {
  return elements / 8 * bits + (elements % 8 * bits + 7) / 8;
}

absl::StatusOr<std::vector<ValueRange>> FindRanges(std::span<const float> values,
                                                   const RangeLayout& given) {
  const RangeLayout layout = Simplified(given, values.size());
  std::vector<FloatKey> least(layout.channels, std::numeric_limits<FloatKey>::max());
  std::vector<FloatKey> most(layout.channels, std::numeric_limits<FloatKey>::min());
  const auto widen = [&](std::int64_t channel, std::int64_t at, std::int64_t count) {
    const auto kernel = ChannelsLast(layout) ? WidenRanges : WidenRange;
    kernel(values.data() + at, count, &least[channel], &most[channel]);
  };
  const auto size = static_cast<std::int64_t>(values.size());
  ChannelsLast(layout) ? ForEachRow(layout, 0, size, widen) : ForEachRun(layout, 0, size, widen);

  std::vector<ValueRange> ranges;
  ranges.reserve(layout.channels);
  for (std::int64_t channel = 0; channel < layout.channels; ++channel) {
    if (least[channel] < kLeastFiniteKey || most[channel] > kMostFiniteKey) {
      return RefuseNotFinite(values);
    }
    ranges.push_back({FloatOfKey(least[channel]), FloatOfKey(most[channel])});
  }
  return ranges;
}

void QuantizeAndPack(std::span<const float> values, const RangeLayout& given,
                     std::span<const ValueRange> ranges, int bits, std::string& packed) {
  const RangeLayout layout = Simplified(given, values.size());
  const Affine affine = ToLevels(ranges, bits);
  const auto size = static_cast<std::int64_t>(values.size());
  packed.reserve(packed.size() + PackedBytes(size, bits));
  Chunk chunk;
  for (std::int64_t begin = 0; begin < size; begin += kChunk) {
    const std::int64_t end = std::min(begin + kChunk, size);
    const auto quantize = [&](std::int64_t channel, std::int64_t at, std::int64_t count) {
      std::uint8_t* levels = chunk.levels.data() + (at - begin);
      if (ChannelsLast(layout)) {
        QuantizeEach(values.data() + at, count, &affine.least[channel], &affine.factor[channel],
                     levels);
      } else {
        Quantize(values.data() + at, count, affine.least[channel], affine.factor[channel], levels);
      }
    };
    ChannelsLast(layout) ? ForEachRow(layout, begin, end, quantize)
                         : ForEachRun(layout, begin, end, quantize);
    const std::int64_t groups = GroupsOf(end - begin);
    std::fill(chunk.levels.data() + (end - begin), chunk.levels.data() + 8 * groups, 0);
    PackLevels(bits, chunk.levels.data(), groups, chunk.packed.data());
    packed.append(reinterpret_cast<const char*>(chunk.packed.data()),
                  PackedBytes(end - begin, bits));
  }
}

void UnpackLevelBytes(absl::string_view packed, int bits, std::span<std::uint8_t> levels) {
  const auto size = static_cast<std::int64_t>(levels.size());
  Chunk chunk;
  for (std::int64_t begin = 0; begin < size; begin += kChunk) {
    const std::int64_t end = std::min(begin + kChunk, size);
    UnpackChunk(packed, bits, begin, end, chunk);
    std::memcpy(levels.data() + begin, chunk.levels.data(), end - begin);
  }
}

void UnpackAndDequantize(absl::string_view packed, const RangeLayout& layout,
                         std::span<const ValueRange> ranges, int bits, std::span<float> values) {
  Chunk chunk;
  DequantizeChunks(layout, ranges, bits, values, [&](std::int64_t begin, std::int64_t end) {
    UnpackChunk(packed, bits, begin, end, chunk);
    return chunk.levels.data();
  });
}

void DequantizeLevelBytes(std::span<const std::uint8_t> levels, const RangeLayout& layout,
                          std::span<const ValueRange> ranges, int bits, std::span<float> values) {
  DequantizeChunks(layout, ranges, bits, values,
                   [&](std::int64_t begin, std::int64_t /*end*/) { return levels.data() + begin; });
}

}  // namespace cleave
