#ifndef CLEAVE_TESTS_LEARN_MADE_UP_PICTURES_H_
#define CLEAVE_TESTS_LEARN_MADE_UP_PICTURES_H_

#include <cstdint>
#include <random>
#include <string>

#include "support/tiny_models.h"

namespace cleave::testing {

// Noise with a bright square whose place and colour tell the class, in CIFAR-10's binary form.
inline std::string MadeUpRecords(int count, std::uint32_t seed) {
  constexpr int kSide = 32;
  constexpr int kClasses = 10;
  std::mt19937 random(seed);
  std::string bytes;
  for (int i = 0; i < count; ++i) {
    const int label = i % kClasses;
    bytes.push_back(static_cast<char>(label));
    for (int channel = 0; channel < 3; ++channel) {
      for (int y = 0; y < kSide; ++y) {
        for (int x = 0; x < kSide; ++x) {
          const bool square = x / 8 == label % 4 && y / 8 == label / 4;
          const bool bright = square && channel == label % 3;
          bytes.push_back(static_cast<char>(bright ? 250 : random() % 100));
        }
      }
    }
  }
  return bytes;
}

// 200 pictures to train on and 50 to test.
inline void WriteMadeUpData(const TempDir& folder) {
  for (int file = 1; file <= 5; ++file) {
    folder.Write("data_batch_" + std::to_string(file) + ".bin", MadeUpRecords(40, file));
  }
  folder.Write("test_batch.bin", MadeUpRecords(50, 9));
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_LEARN_MADE_UP_PICTURES_H_
