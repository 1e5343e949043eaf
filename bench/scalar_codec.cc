#include "scalar_codec.h"

void ScalarEncode(const float* values, std::size_t count, int bits, std::uint8_t* packed) {
  float min = values[0];
  float max = values[0];
  for (std::size_t i = 0; i < count; ++i) {
    if (values[i] < min) min = values[i];
    if (values[i] > max) max = values[i];
  }
  const float scale = max > min ? static_cast<float>((1 << bits) - 1) / (max - min) : 0;
  unsigned held = 0;
  int held_bits = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const float level = (values[i] - min) * scale + 0.5F;
    held |= static_cast<unsigned>(level) << held_bits;
    held_bits += bits;
    while (held_bits >= 8) {
      *packed++ = static_cast<std::uint8_t>(held);
      held >>= 8;
      held_bits -= 8;
    }
  }
  if (held_bits > 0) *packed = static_cast<std::uint8_t>(held);
}

void ScalarDecode(const std::uint8_t* packed, std::size_t count, int bits, float min, float max,
                  float* values) {
  const float step = (max - min) / static_cast<float>((1 << bits) - 1);
  unsigned held = 0;
  int held_bits = 0;
  for (std::size_t i = 0; i < count; ++i) {
    while (held_bits < bits) {
      held |= static_cast<unsigned>(*packed++) << held_bits;
      held_bits += 8;
    }
    values[i] = min + static_cast<float>(held & ((1U << bits) - 1)) * step;
    held >>= bits;
    held_bits -= bits;
  }
}
