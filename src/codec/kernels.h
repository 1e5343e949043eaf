#ifndef CLEAVE_CODEC_KERNELS_H_
#define CLEAVE_CODEC_KERNELS_H_

#include <cstddef>
#include <cstdint>

// The inner loops of the encodings: plain loops that the compiler vectorizes, on x86-64 for several
// instruction sets at once. They check nothing; their callers do. Their results are the same on
// every machine. All thread-safe; inputs and outputs must not overlap.

namespace cleave {

// A float's bits as an integer that sorts like the float: -NaN < -inf < ... < -0 < 0 < ... < inf <
// NaN. What is not finite lies outside [kLeastFiniteKey, kMostFiniteKey].
using FloatKey = std::int32_t;
inline constexpr FloatKey kMostFiniteKey = 0x7F7FFFFF;
inline constexpr FloatKey kLeastFiniteKey = -0x7F800000;
float FloatOfKey(FloatKey key);

// Lowers *least and raises *most to what `count` values hold.
void WidenRange(const float* values, std::size_t count, FloatKey* least, FloatKey* most);
// The same with a range for each value.
void WidenRanges(const float* values, std::size_t count, FloatKey* least, FloatKey* most);

// level = floor((value - least) * scale + 1/2), computed in double. REQUIRES: the result is from 0
// to 255.
void Quantize(const float* values, std::size_t count, double least, double scale,
              std::uint8_t* levels);
void QuantizeEach(const float* values, std::size_t count, const double* least, const double* scale,
                  std::uint8_t* levels);

// value = least + level * step, computed in double and rounded to the nearest float.
void Dequantize(const std::uint8_t* levels, std::size_t count, double least, double step,
                float* values);
void DequantizeEach(const std::uint8_t* levels, std::size_t count, const double* least,
                    const double* step, float* values);

// Eight levels of `bits` bits become `bits` bytes, the first level in the lowest bits.
// REQUIRES: bits is 2, 3, 4, 5, 6 or 8; levels holds 8 * groups; packed has room for
// bits * groups + kPackSlack bytes.
inline constexpr std::size_t kPackSlack = 8;
void PackLevels(int bits, const std::uint8_t* levels, std::size_t groups, std::uint8_t* packed);
// The reverse. REQUIRES: packed holds bits * groups + kPackSlack readable bytes.
void UnpackLevels(int bits, const std::uint8_t* packed, std::size_t groups, std::uint8_t* levels);

// Rounds to the nearest half-precision float, ties to even. REQUIRES: magnitudes up to 65504.
void FloatsToHalves(const float* values, std::size_t count, std::uint16_t* halves);
// False if one of them is an infinity or not a number; its float is of no meaning then.
bool HalvesToFloats(const std::uint16_t* halves, std::size_t count, float* values);

}  // namespace cleave

#endif  // CLEAVE_CODEC_KERNELS_H_
