#include "codec/kernels.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "codec/vectorized.h"

namespace cleave {
namespace {

static_assert(std::endian::native == std::endian::little, "packed bytes are loaded as words");

FloatKey KeyOf(float value) {
  const auto bits = std::bit_cast<std::int32_t>(value);
  return bits ^ ((bits >> 31) & 0x7FFFFFFF);
}

// Repeats `pattern` in every lane of `lane` bits.
constexpr std::uint64_t Lanes(std::uint64_t pattern, int lane) {
  std::uint64_t word = 0;
  for (int at = 0; at < 64; at += lane) word |= pattern << at;
  return word;
}

constexpr std::uint64_t Ones(int count) { return (std::uint64_t{1} << count) - 1; }

// Moves the upper half of each lane down to the end of the lower half, or back: a lane of 2 * kHalf
// bits holds two numbers of kUsed bits. Both are masked before they are joined, since numbers that
// take more than half of their place overlap what is shifted.
template <int kHalf, int kUsed>
CLEAVE_INLINED std::uint64_t Join(std::uint64_t word) {
  constexpr std::uint64_t kLow = Lanes(Ones(kUsed), 2 * kHalf);
  return (word & kLow) | (word >> (kHalf - kUsed) & kLow << kUsed);
}

template <int kHalf, int kUsed>
CLEAVE_INLINED std::uint64_t Part(std::uint64_t word) {
  constexpr std::uint64_t kLow = Lanes(Ones(kUsed), 2 * kHalf);
  return (word & kLow) | (word & kLow << kUsed) << (kHalf - kUsed);
}

// This many groups are computed at once before they are stored at overlapping places, for which
// there is no vector instruction.
constexpr std::size_t kWords = 64;

// Both directions halve or double the number of lanes in three steps: 8 x b bits, 4 x 2b, 2 x 4b, 1
// x 8b.
template <int kBits>
CLEAVE_INLINED void PackGroups(const std::uint8_t* levels, std::size_t groups,
                               std::uint8_t* packed) {
  std::uint64_t words[kWords];
  for (std::size_t begin = 0; begin < groups; begin += kWords) {
    const std::size_t count = std::min(kWords, groups - begin);
    std::memcpy(words, levels + 8 * begin, 8 * count);
    for (std::size_t i = 0; i < count; ++i) {
      words[i] = Join<32, 4 * kBits>(Join<16, 2 * kBits>(Join<8, kBits>(words[i])));
    }
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(packed + kBits * (begin + i), &words[i], 8);
    }
  }
}

template <int kBits>
CLEAVE_INLINED void UnpackGroups(const std::uint8_t* packed, std::size_t groups,
                                 std::uint8_t* levels) {
  std::uint64_t words[kWords];
  for (std::size_t begin = 0; begin < groups; begin += kWords) {
    const std::size_t count = std::min(kWords, groups - begin);
    for (std::size_t i = 0; i < count; ++i) {
      std::memcpy(&words[i], packed + kBits * (begin + i), 8);
    }
    for (std::size_t i = 0; i < count; ++i) {
      words[i] = Part<8, kBits>(Part<16, 2 * kBits>(Part<32, 4 * kBits>(words[i])));
    }
    std::memcpy(levels + 8 * begin, words, 8 * count);
  }
}

CLEAVE_VECTORIZED
void PackThrees(const std::uint8_t* levels, std::size_t groups, std::uint8_t* packed) {
  PackGroups<3>(levels, groups, packed);
}

CLEAVE_VECTORIZED
void UnpackThrees(const std::uint8_t* packed, std::size_t groups, std::uint8_t* levels) {
  UnpackGroups<3>(packed, groups, levels);
}

CLEAVE_VECTORIZED
void PackFives(const std::uint8_t* levels, std::size_t groups, std::uint8_t* packed) {
  PackGroups<5>(levels, groups, packed);
}

CLEAVE_VECTORIZED
void UnpackFives(const std::uint8_t* packed, std::size_t groups, std::uint8_t* levels) {
  UnpackGroups<5>(packed, groups, levels);
}

CLEAVE_VECTORIZED
void PackSixes(const std::uint8_t* levels, std::size_t groups, std::uint8_t* packed) {
  PackGroups<6>(levels, groups, packed);
}

CLEAVE_VECTORIZED
void UnpackSixes(const std::uint8_t* packed, std::size_t groups, std::uint8_t* levels) {
  UnpackGroups<6>(packed, groups, levels);
}

CLEAVE_VECTORIZED
void PackFours(const std::uint8_t* __restrict levels, std::size_t bytes,
               std::uint8_t* __restrict packed) {
  for (std::size_t i = 0; i < bytes; ++i) {
    std::uint16_t pair = 0;
    std::memcpy(&pair, levels + 2 * i, 2);
    packed[i] = static_cast<std::uint8_t>(pair | pair >> 4);
  }
}

CLEAVE_VECTORIZED
void UnpackFours(const std::uint8_t* __restrict packed, std::size_t bytes,
                 std::uint8_t* __restrict levels) {
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::uint16_t byte = packed[i];
    const auto pair = static_cast<std::uint16_t>((byte | byte << 4) & 0x0F0F);
    std::memcpy(levels + 2 * i, &pair, 2);
  }
}

CLEAVE_VECTORIZED
void PackTwos(const std::uint8_t* __restrict levels, std::size_t bytes,
              std::uint8_t* __restrict packed) {
  for (std::size_t i = 0; i < bytes; ++i) {
    std::uint32_t four = 0;
    std::memcpy(&four, levels + 4 * i, 4);
    packed[i] = static_cast<std::uint8_t>(four | four >> 6 | four >> 12 | four >> 18);
  }
}

CLEAVE_VECTORIZED
void UnpackTwos(const std::uint8_t* __restrict packed, std::size_t bytes,
                std::uint8_t* __restrict levels) {
  for (std::size_t i = 0; i < bytes; ++i) {
    const std::uint32_t byte = packed[i];
    const std::uint32_t four = (byte | byte << 6 | byte << 12 | byte << 18) & 0x03030303;
    std::memcpy(levels + 4 * i, &four, 4);
  }
}

}  // namespace

float FloatOfKey(FloatKey key) { return std::bit_cast<float>(key ^ ((key >> 31) & 0x7FFFFFFF)); }

CLEAVE_VECTORIZED
void WidenRange(const float* __restrict values, std::size_t count, FloatKey* __restrict least,
                FloatKey* __restrict most) {
  FloatKey low = *least;
  FloatKey high = *most;
  for (std::size_t i = 0; i < count; ++i) {
    const FloatKey key = KeyOf(values[i]);
    low = key < low ? key : low;
    high = key > high ? key : high;
  }
  *least = low;
  *most = high;
}

CLEAVE_VECTORIZED
void WidenRanges(const float* __restrict values, std::size_t count, FloatKey* __restrict least,
                 FloatKey* __restrict most) {
  for (std::size_t i = 0; i < count; ++i) {
    const FloatKey key = KeyOf(values[i]);
    least[i] = key < least[i] ? key : least[i];
    most[i] = key > most[i] ? key : most[i];
  }
}

// The level goes through a 32-bit integer, since vector instructions convert to 32-bit integers and
// not to 8-bit ones.
CLEAVE_VECTORIZED
void Quantize(const float* __restrict values, std::size_t count, double least, double scale,
              std::uint8_t* __restrict levels) {
  for (std::size_t i = 0; i < count; ++i) {
    const double level = (static_cast<double>(values[i]) - least) * scale + 0.5;
    levels[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
  }
}

CLEAVE_VECTORIZED
void QuantizeEach(const float* __restrict values, std::size_t count, const double* __restrict least,
                  const double* __restrict scale, std::uint8_t* __restrict levels) {
  for (std::size_t i = 0; i < count; ++i) {
    const double level = (static_cast<double>(values[i]) - least[i]) * scale[i] + 0.5;
    levels[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
  }
}

CLEAVE_VECTORIZED
void Dequantize(const std::uint8_t* __restrict levels, std::size_t count, double least, double step,
                float* __restrict values) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(least + static_cast<std::int32_t>(levels[i]) * step);
  }
}

CLEAVE_VECTORIZED
void DequantizeEach(const std::uint8_t* __restrict levels, std::size_t count,
                    const double* __restrict least, const double* __restrict step,
                    float* __restrict values) {
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(least[i] + static_cast<std::int32_t>(levels[i]) * step[i]);
  }
}

void PackLevels(int bits, const std::uint8_t* levels, std::size_t groups, std::uint8_t* packed) {
  switch (bits) {
    case 2:
      return PackTwos(levels, 2 * groups, packed);
    case 3:
      return PackThrees(levels, groups, packed);
    case 4:
      return PackFours(levels, 4 * groups, packed);
    case 5:
      return PackFives(levels, groups, packed);
    case 6:
      return PackSixes(levels, groups, packed);
    default:
      std::memcpy(packed, levels, 8 * groups);
  }
}

void UnpackLevels(int bits, const std::uint8_t* packed, std::size_t groups, std::uint8_t* levels) {
  switch (bits) {
    case 2:
      return UnpackTwos(packed, 2 * groups, levels);
    case 3:
      return UnpackThrees(packed, groups, levels);
    case 4:
      return UnpackFours(packed, 4 * groups, levels);
    case 5:
      return UnpackFives(packed, groups, levels);
    case 6:
      return UnpackSixes(packed, groups, levels);
    default:
      std::memcpy(levels, packed, 8 * groups);
  }
}

// Both conversions follow F. Giesen's "Half-precision floats": exponents are moved by 112, and what
// is subnormal as a half takes a path of its own, here an addition whose rounding is the one
// wanted.
CLEAVE_VECTORIZED
void FloatsToHalves(const float* __restrict values, std::size_t count,
                    std::uint16_t* __restrict halves) {
  constexpr std::uint32_t kBias = 112U << 23;
  constexpr std::uint32_t kLeastNormal = 113U << 23;  // 2^-14
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    const std::uint32_t sign = bits >> 16 & 0x8000;
    const std::uint32_t magnitude = bits & 0x7FFFFFFF;
    const std::uint32_t normal = (magnitude - kBias + 0xFFF + (magnitude >> 13 & 1)) >> 13;
    // Floats from 1/2 to 1 lie 2^-24 apart, as subnormal halves do.
    const auto shifted = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F);
    const std::uint32_t subnormal = shifted - std::bit_cast<std::uint32_t>(0.5F);
    halves[i] = static_cast<std::uint16_t>(sign | (magnitude < kLeastNormal ? subnormal : normal));
  }
}

CLEAVE_VECTORIZED
bool HalvesToFloats(const std::uint16_t* __restrict halves, std::size_t count,
                    float* __restrict values) {
  constexpr std::uint32_t kBias = 112U << 23;
  std::uint32_t largest = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t half = halves[i];
    const std::uint32_t sign = (half & 0x8000) << 16;
    const std::uint32_t normal = ((half & 0x7FFF) << 13) + kBias;
    const auto subnormal = std::bit_cast<std::uint32_t>(
        static_cast<float>(static_cast<std::int32_t>(half & 0x3FF)) * 0x1p-24F);
    const std::uint32_t exponent = half & 0x7C00;
    const std::uint32_t magnitude = exponent == 0 ? subnormal : normal;
    values[i] = std::bit_cast<float>(sign | magnitude);
    largest = exponent > largest ? exponent : largest;
  }
  return largest < 0x7C00;
}

}  // namespace cleave
