#ifndef CLEAVE_CODEC_KERNELS_H_
#define CLEAVE_CODEC_KERNELS_H_

#include <cstddef>
#include <cstdint>

// The inner loops of the encodings are plain loops that the compiler vectorizes, on x86-64 for
// several instruction sets at once. They check nothing; their callers do. Their results are the
// same on every machine. All are thread-safe; inputs and outputs must not overlap.

namespace cleave {

// The bits of a float as an integer that sorts like the float: -NaN < -inf < ... < -0 < 0 < ... <
// inf < NaN. Values that are not finite lie outside [kLeastFiniteKey, kMostFiniteKey].
using FloatKey = std::int32_t;
inline constexpr FloatKey kMostFiniteKey = 0x7F7FFFFF;
inline constexpr FloatKey kLeastFiniteKey = -0x7F800000;
float FloatOfKey(FloatKey key);

// Lowers *least and raises *most so that the range holds `count` values.
void WidenRange(const float* values, std::size_t count, FloatKey* least, FloatKey* most);
// Does the same with a separate range for each value.
void WidenRanges(const float* values, std::size_t count, FloatKey* least, FloatKey* most);

// Computes level = floor((value - least) * scale + 1/2) in double. REQUIRES: the result is from 0
// to 255.
void Quantize(const float* values, std::size_t count, double least, double scale,
              std::uint8_t* levels);
// Does the same with a `least` and a `scale` for each value.
void QuantizeEach(const float* values, std::size_t count, const double* least, const double* scale,
                  std::uint8_t* levels);

// Computes value = least + level * step in double and rounds to the nearest float.
void Dequantize(const std::uint8_t* levels, std::size_t count, double least, double step,
                float* values);
// Does the same with a `least` and a `step` for each level.
void DequantizeEach(const std::uint8_t* levels, std::size_t count, const double* least,
                    const double* step, float* values);

// Packs eight levels of `bits` bits into `bits` bytes, the first level in the lowest bits.
// REQUIRES: bits is 2, 3, 4, 5, 6 or 8; levels holds 8 * groups; packed has room for bits * groups
// + kPackSlack bytes.
inline constexpr std::size_t kPackSlack = 8;
void PackLevels(int bits, const std::uint8_t* levels, std::size_t groups, std::uint8_t* packed);
// Reverses PackLevels. REQUIRES: packed holds bits * groups + kPackSlack readable bytes.
void UnpackLevels(int bits, const std::uint8_t* packed, std::size_t groups, std::uint8_t* levels);

// Rounds to the nearest half-precision float, ties to even. REQUIRES: magnitudes are at most 65504.
void FloatsToHalves(const float* values, std::size_t count, std::uint16_t* halves);
// Returns false if one of them is infinite or not a number; its float has no meaning then.
bool HalvesToFloats(const std::uint16_t* halves, std::size_t count, float* values);

}  // namespace cleave

#endif  // CLEAVE_CODEC_KERNELS_H_
