#include "codec/range_coder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace cleave {
namespace {

TEST(RangeCoderTest, GivesBackWhateverWasCoded) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const double chance = std::pow(2.0, -static_cast<double>(round % 12));
    std::vector<bool> bits;
    std::vector<std::uint32_t> raw;
    const int count = round * 7;
    RangeEncoder encoder;
    AdaptiveBit model;
    for (int i = 0; i < count; ++i) {
      bits.push_back(std::uniform_real_distribution<>(0, 1)(random) < chance);
      raw.push_back(random() & 0x1FFF);
      encoder.Encode(bits.back(), model);
      if (i % 5 == 0) encoder.EncodeRaw(raw.back(), 13);
    }
    const std::string bytes = std::move(encoder).Finish();
    RangeDecoder decoder(bytes);
    AdaptiveBit again;
    for (int i = 0; i < count; ++i) {
      ASSERT_EQ(decoder.Decode(again), bits[i]) << round << " " << i;
      if (i % 5 == 0) {
        ASSERT_EQ(decoder.DecodeRaw(13), raw[i]) << round << " " << i;
      }
    }
    EXPECT_TRUE(decoder.AtEnd()) << round;
  }
}

// Runs of ones at the least chance make carries through long rows of 0xFF.
TEST(RangeCoderTest, CarriesReachThroughManyBytes) {
  for (const bool first : {false, true}) {
    RangeEncoder encoder;
    AdaptiveBit model(first ? 65535 : 0);
    for (int i = 0; i < 5000; ++i) {
      AdaptiveBit rare = model;
      encoder.Encode(first == (i % 97 != 0), rare);
    }
    const std::string bytes = std::move(encoder).Finish();
    RangeDecoder decoder(bytes);
    for (int i = 0; i < 5000; ++i) {
      AdaptiveBit rare = model;
      ASSERT_EQ(decoder.Decode(rare), first == (i % 97 != 0)) << i;
    }
  }
}

TEST(RangeCoderTest, ComesNearTheEntropy) {
  std::mt19937 random(2);
  const int count = 100000;
  for (const double chance : {0.5, 0.1, 0.01}) {
    RangeEncoder encoder;
    AdaptiveBit model;
    for (int i = 0; i < count; ++i) {
      encoder.Encode(std::uniform_real_distribution<>(0, 1)(random) < chance, model);
    }
    const double entropy = -chance * std::log2(chance) - (1 - chance) * std::log2(1 - chance);
    const auto bits = 8.0 * static_cast<double>(std::move(encoder).Finish().size());
    EXPECT_LT(bits, 1.06 * count * entropy) << chance;
    EXPECT_GT(bits, 0.95 * count * entropy) << chance;
  }
}

TEST(RangeCoderTest, NothingTakesNoBytes) {
  EXPECT_TRUE(RangeEncoder().Finish().empty());
  RangeDecoder decoder("");
  EXPECT_TRUE(decoder.AtEnd());
}

// Other bytes are other bits, and nothing is read behind their end.
TEST(RangeCoderTest, TakesAnyBytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 100; ++round) {
    std::string bytes;
    for (int i = 0; i < round; ++i) bytes.push_back(static_cast<char>(random()));
    RangeDecoder decoder(bytes);
    AdaptiveBit model;
    int ones = 0;
    for (int i = 0; i < 2000; ++i) ones += decoder.Decode(model) ? 1 : 0;
    EXPECT_LE(ones, 2000);
  }
}

}  // namespace
}  // namespace cleave
