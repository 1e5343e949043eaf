#include "codec/resample.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "codec/vectorized.h"

namespace cleave {
namespace {

constexpr int kChannels = RgbImage::kChannels;
constexpr int kFractionBits = 22;
constexpr std::int32_t kOneHalf = 1 << (kFractionBits - 1);

// The weights of the elements that an element of the result is made of.
struct Taps {
  int first = 0;
  int count = 0;
  const std::int32_t* weights = nullptr;
};

// Rounds as Pillow does.
std::int32_t RoundedUpFromHalf(double value) {
  return static_cast<std::int32_t>(std::floor(value + 0.5));
}

// The taps of a range of a row's or column's elements.
class Filter {
 public:
  // Weights the elements `begin` to `end` - 1 of `to` that are made of `from` elements.
  Filter(int from, int to, int begin, int end) {
    const double scale = static_cast<double>(from) / to;
    const double support = std::max(scale, 1.0);
    weights_.reserve(static_cast<std::size_t>(end - begin) *
                     (2 * static_cast<std::size_t>(std::ceil(support)) + 1));
    std::vector<double> shares;
    for (int at = begin; at < end; ++at) {
      const double center = (at + 0.5) * scale;
      const int first = std::max(0, RoundedUpFromHalf(center - support));
      const int last = std::min(from, RoundedUpFromHalf(center + support));
      AddTaps(first, last - first, center, 1.0 / support, shares);
    }
    const std::int32_t* weights = weights_.data();
    for (Taps& taps : taps_) {
      taps.weights = weights;
      weights += taps.count;
    }
  }

  const std::vector<Taps>& taps() const { return taps_; }
  int first() const { return taps_.front().first; }
  int end() const { return taps_.back().first + taps_.back().count; }

 private:
  void AddTaps(int first, int count, double center, double inverse, std::vector<double>& shares) {
    shares.clear();
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double distance = std::abs((i + first - center + 0.5) * inverse);
      shares.push_back(distance < 1 ? 1 - distance : 0);
      sum += shares.back();
    }
    for (const double share : shares) {
      weights_.push_back(RoundedUpFromHalf(share / sum * (1 << kFractionBits)));
    }
    taps_.push_back({first, count, nullptr});
  }

  std::vector<Taps> taps_;
  std::vector<std::int32_t> weights_;
};

CLEAVE_INLINED std::uint8_t Rounded(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::min(sum >> kFractionBits, 255));
}

// R, G, B and 0 of a pixel, so that one instruction works on all of them.
using Lanes = std::int32_t __attribute__((vector_size(16)));
using Bytes = std::uint8_t __attribute__((vector_size(4)));

CLEAVE_VECTORIZED
void Widen(const std::uint8_t* __restrict rgb, std::size_t pixels, Lanes* __restrict lanes) {
  for (std::size_t i = 0; i < pixels; ++i) {
    Bytes bytes = {};
    std::memcpy(&bytes, rgb + i * kChannels, kChannels);
    lanes[i] = __builtin_convertvector(bytes, Lanes);
  }
}

// Makes the pixels of a row out of a row that begins at `from`.
CLEAVE_VECTORIZED
void WeightPixels(const Lanes* __restrict from, const Taps* __restrict all, std::size_t pixels,
                  std::uint8_t* __restrict to) {
  constexpr Lanes kHalf = {kOneHalf, kOneHalf, kOneHalf, kOneHalf};
  constexpr Lanes kMost = {255, 255, 255, 255};
  for (std::size_t i = 0; i < pixels; ++i) {
    const Taps& taps = all[i];
    const Lanes* const first = from + taps.first;
    Lanes sum = kHalf;
    for (int tap = 0; tap < taps.count; ++tap) sum += first[tap] * taps.weights[tap];
    sum >>= kFractionBits;
    const Bytes bytes = __builtin_convertvector(sum < kMost ? sum : kMost, Bytes);
    std::memcpy(to + i * kChannels, &bytes, kChannels);
  }
}

// Makes `count` bytes of one row out of rows that begin at `from` and are `stride` bytes apart.
CLEAVE_VECTORIZED
void WeightRows(const std::uint8_t* __restrict from, std::size_t stride,
                const std::int32_t* __restrict weights, int rows, std::size_t count,
                std::uint8_t* __restrict to) {
  constexpr std::size_t kBlock = 64;
  std::int32_t sums[kBlock];
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t width = std::min(kBlock, count - begin);
    std::fill_n(sums, kBlock, kOneHalf);
    for (int row = 0; row < rows; ++row) {
      const std::uint8_t* __restrict bytes = from + stride * row + begin;
      const std::int32_t weight = weights[row];
      if (width == kBlock) {
        for (std::size_t i = 0; i < kBlock; ++i) sums[i] += weight * bytes[i];
      } else {
        for (std::size_t i = 0; i < width; ++i) sums[i] += weight * bytes[i];
      }
    }
    for (std::size_t i = 0; i < width; ++i) to[begin + i] = Rounded(sums[i]);
  }
}

// Resizes the rows `top` to `top` + `height` - 1 to `width` and keeps the columns from `left` on.
RgbImage ResampleColumns(const RgbImage& image, int width, int left, int columns, int top,
                         int height) {
  RgbImage result({columns, height});
  if (width == image.size.width) {
    for (int y = 0; y < height; ++y) {
      std::memcpy(result.row(y), image.row(top + y) + static_cast<std::size_t>(left) * kChannels,
                  result.row_bytes());
    }
    return result;
  }
  const Filter filter(image.size.width, width, left, left + columns);
  const int first = filter.first();
  const auto used = static_cast<std::size_t>(filter.end() - first);
  std::vector<Lanes> row(static_cast<std::size_t>(filter.end()));
  for (int y = 0; y < height; ++y) {
    Widen(image.row(top + y) + static_cast<std::size_t>(first) * kChannels, used,
          row.data() + first);
    WeightPixels(row.data(), filter.taps().data(), filter.taps().size(), result.row(y));
  }
  return result;
}

}  // namespace

RgbImage Resample(const RgbImage& image, ImageSize size, const Window& window) {
  const int columns = window.size.width;
  if (size.height == image.size.height) {
    return ResampleColumns(image, size.width, window.left, columns, window.top, window.size.height);
  }
  const Filter filter(image.size.height, size.height, window.top, window.top + window.size.height);
  const int top = filter.first();
  const RgbImage narrow =
      ResampleColumns(image, size.width, window.left, columns, top, filter.end() - top);
  RgbImage result(window.size);
  for (int y = 0; y < window.size.height; ++y) {
    const Taps& taps = filter.taps()[static_cast<std::size_t>(y)];
    WeightRows(narrow.row(taps.first - top), narrow.row_bytes(), taps.weights, taps.count,
               result.row_bytes(), result.row(y));
  }
  return result;
}

}  // namespace cleave
