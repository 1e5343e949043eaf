#ifndef CLEAVE_BENCH_SCALAR_CODEC_H_
#define CLEAVE_BENCH_SCALAR_CODEC_H_

#include <cstddef>
#include <cstdint>

// Integer quantization in its most obvious form: one element at a time, in floats, bits through a
// register. It is in a file of its own, which is compiled without vectorization.

// REQUIRES: count > 0; packed has room for (count * bits + 7) / 8 bytes.
void ScalarEncode(const float* values, std::size_t count, int bits, std::uint8_t* packed);
void ScalarDecode(const std::uint8_t* packed, std::size_t count, int bits, float min, float max,
                  float* values);

#endif  // CLEAVE_BENCH_SCALAR_CODEC_H_
