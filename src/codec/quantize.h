#ifndef CLEAVE_CODEC_QUANTIZE_H_
#define CLEAVE_CODEC_QUANTIZE_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// Integer quantization with packed bits, without any frame around it. The error bound is:
//
//   |x - decoded| <= step / 2 + 1.001 * 2^-24 * max(|min|, |max|) + 2^-150,
//   step = (max - min) / (2^bits - 1).
//
// Levels and values are computed in binary64 from the floats min and max; the errors of that are
// below 2^-48 of max(|min|, |max|), since max - min is at most twice it. What remains is the last
// rounding to binary32: at most 2^-24 of the value, or 2^-150 where the value is subnormal. A value
// halfway between two levels takes the upper one. If min = max, all values decode to min.

namespace cleave {

// The least and the largest of some values. Both are finite, and min <= max.
struct ValueRange {
  float min = 0;
  float max = 0;

  friend bool operator==(const ValueRange&, const ValueRange&) = default;
};

// Says which range an element has: in row-major order the tensor is [outer, channels, inner], and
// element i belongs to channel i / inner % channels.
struct RangeLayout {
  std::int64_t channels = 1;
  std::int64_t inner = 1;  // It is at least 1.
};

// Returns the packed size of so many elements, in bytes. REQUIRES: elements <= 2^58.
std::int64_t PackedBytes(std::int64_t elements, int bits);

// Finds the range of each channel. InvalidArgument names position and value of the first element
// that is not finite. REQUIRES: values.size() is a multiple of channels * inner and not 0.
absl::StatusOr<std::vector<ValueRange>> FindRanges(std::span<const float> values,
                                                   const RangeLayout& layout);

// Appends PackedBytes(values.size(), bits) bytes: the levels one after another without regard to
// channels, each in `bits` bits, the first in the lowest bits of the first byte; unused bits of the
// last byte are 0. REQUIRES: `ranges` comes from FindRanges; bits is 2, 3, 4, 5, 6 or 8.
void QuantizeAndPack(std::span<const float> values, const RangeLayout& layout,
                     std::span<const ValueRange> ranges, int bits, std::string& packed);

// Unpacks the levels that QuantizeAndPack appended into a byte each. REQUIRES: packed.size() is
// PackedBytes(levels.size(), bits).
void UnpackLevelBytes(absl::string_view packed, int bits, std::span<std::uint8_t> levels);

// Reverses QuantizeAndPack; every output is finite. Unused bits are ignored. REQUIRES:
// packed.size() is PackedBytes(values.size(), bits); ranges.size() is layout.channels.
void UnpackAndDequantize(absl::string_view packed, const RangeLayout& layout,
                         std::span<const ValueRange> ranges, int bits, std::span<float> values);

// Does the same from levels that take a byte each. REQUIRES: levels.size() is values.size(); each
// is below 2^bits; ranges.size() is layout.channels.
void DequantizeLevelBytes(std::span<const std::uint8_t> levels, const RangeLayout& layout,
                          std::span<const ValueRange> ranges, int bits, std::span<float> values);

}  // namespace cleave

#endif  // CLEAVE_CODEC_QUANTIZE_H_
