#ifndef CLEAVE_TESTS_CODEC_FRAMES_H_
#define CLEAVE_TESTS_CODEC_FRAMES_H_

#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "codec/frame.h"

// The tests of frames share these helpers.

namespace cleave {

inline constexpr Encoding kAllEncodings[] = {Encoding::kFp32, Encoding::kFp16, Encoding::kQ8,
                                             Encoding::kQ6,   Encoding::kQ5,   Encoding::kQ4,
                                             Encoding::kQ3,   Encoding::kQ2};

// Converts hex digits with blanks between them to bytes.
inline std::string FromHex(absl::string_view hex) {
  return absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
}

// Computes CRC-32 bit by bit, as docs/wire-format.md has it, so that the tests need not trust the
// library.
inline std::uint32_t Crc32(absl::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

// Returns the frame with a checksum that fits its other bytes.
inline std::string WithChecksum(std::string frame) {
  frame.resize(frame.size() - 4);
  const std::uint32_t crc = Crc32(frame);
  for (int i = 0; i < 4; ++i) frame.push_back(static_cast<char>(crc >> (8 * i)));
  return frame;
}

inline Tensor FloatTensor(Shape shape, std::vector<float> values) {
  return Tensor::FromFloats(std::move(shape), std::move(values)).value();
}

// Half of the elements are zero, as after a ReLU.
inline std::vector<float> Activations(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = std::max(0.0F, normal(random));
  return values;
}

}  // namespace cleave

#endif  // CLEAVE_TESTS_CODEC_FRAMES_H_
