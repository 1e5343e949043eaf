#include "codec/rans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "codec/frames.h"

namespace cleave {
namespace {

using testing::HasSubstr;

using Levels = std::vector<std::uint8_t>;

constexpr std::size_t kAnySize = std::size_t{1} << 30;

// Draws levels of a geometric distribution, like those after a ReLU, of which `share` are zeros.
Levels Draw(std::size_t count, int bits, double share, unsigned seed) {
  std::mt19937 random(seed);
  std::geometric_distribution<int> geometric(share);
  Levels levels(count);
  for (std::uint8_t& level : levels) {
    level = static_cast<std::uint8_t>(std::min(geometric(random), (1 << bits) - 1));
  }
  return levels;
}

Levels Decoded(absl::string_view coded, int bits, std::size_t count) {
  const auto levels = RansDecode(coded, bits, count);
  EXPECT_TRUE(levels.ok()) << levels.status();
  if (!levels.ok()) return {};
  return {levels->get(), levels->get() + count};
}

std::string ErrorOf(const std::string& coded, int bits, std::size_t count) {
  const absl::Status status = RansDecode(coded, bits, count).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

// Writes a number in the form that docs/wire-format.md calls uint7.
std::string Number(std::uint64_t value) {
  std::string bytes(1, static_cast<char>(value & 0x7F));
  while ((value >>= 7) != 0) bytes.insert(bytes.begin(), static_cast<char>(value | 0x80));
  return bytes;
}

std::string Byte(int value) { return {static_cast<char>(value)}; }

// These are 100 levels, 70 zeros and then ten times 1, 0, 2, by order 0 and by order 1.
constexpr char kOrder0[] =
    "00 64 00 01 01 00 68 0c 0c 87 27 43 00 0a 26 43 00 1e 40 43 00 87 27 43 "
    "00 80 4a 00 3d 80 99 00 3d";
constexpr char kOrder1[] =
    "01 64 a0 00 01 01 00 6f 01 10 10 00 01 00 00 10 00 00 90 56 11 00 90 56 "
    "11 00 70 b6 b1 22 bf ff 07 04 80 ff";

Levels Golden() {
  Levels levels(70, 0);
  for (int i = 0; i < 10; ++i) levels.insert(levels.end(), {1, 0, 2});
  return levels;
}

// Codes by order 1 levels with so many different pairs that the library compresses their table.
std::string WithCompressedTable() {
  return RansEncode(Draw(kLeastOrder1Levels, 6, 0.05, 1), kAnySize).value();
}

TEST(RansTest, LevelsComeBack) {
  for (const int bits : {2, 3, 4, 5, 6}) {
    for (const double share : {0.02, 0.3, 0.9, 1.0}) {
      for (const std::size_t count :
           {1, 2, 3, 4, 5, 7, 8, 9, 31, 1000, 4099, 32767, 32768, 32769, 32770, 32771, 131072}) {
        const Levels levels = Draw(count, bits, share, static_cast<unsigned>(count));
        const auto coded = RansEncode(levels, kAnySize);
        // Few levels gain nothing: none of the orders is used for them.
        if (!coded.has_value()) {
          EXPECT_LT(count, 1000U) << bits << " " << share;
          continue;
        }
        EXPECT_EQ((*coded)[0], count >= kLeastOrder1Levels ? 1 : 0);
        EXPECT_EQ(RansEncode(levels, kAnySize), coded);
        ASSERT_EQ(Decoded(*coded, bits, count), levels) << bits << " " << share << " " << count;
      }
    }
  }
}

TEST(RansTest, ComesNearTheEntropy) {
  const Levels levels = Draw(20'000, 4, 0.5, 1);
  std::vector<double> counts(16);
  for (const std::uint8_t level : levels) ++counts[level];
  double bits = 0;
  for (const double count : counts) {
    if (count > 0) bits -= count * std::log2(count / static_cast<double>(levels.size()));
  }
  const auto size = static_cast<double>(RansEncode(levels, kAnySize)->size());
  EXPECT_GE(size, bits / 8);
  EXPECT_LE(size, 1.02 * bits / 8 + 64);
}

TEST(RansTest, GivesNothingWhereItNeedsMoreThanWasAllowed) {
  const Levels levels = Draw(1000, 4, 0.5, 1);
  const std::size_t size = RansEncode(levels, kAnySize)->size();
  EXPECT_TRUE(RansEncode(levels, size).has_value());
  EXPECT_FALSE(RansEncode(levels, size - 1).has_value());
  EXPECT_FALSE(RansEncode(levels, 0).has_value());
}

TEST(RansTest, ReadsTheseVeryBytes) {
  EXPECT_EQ(Decoded(FromHex(kOrder0), 2, 100), Golden());
  EXPECT_EQ(Decoded(FromHex(kOrder1), 2, 100), Golden());
  EXPECT_EQ(RansEncode(Golden(), kAnySize), FromHex(kOrder0));
}

TEST(RansTest, RefusesOtherOrders) {
  const std::string good = FromHex(kOrder0);
  for (int order = 2; order < 256; ++order) {
    EXPECT_EQ(ErrorOf(Byte(order) + good.substr(1), 2, 100),
              absl::StrCat("rANS order: found ", order, ", expected 0 or 1"));
  }
  EXPECT_THAT(ErrorOf(Byte(1) + good.substr(1), 2, 100), HasSubstr("rANS "));
  EXPECT_EQ(ErrorOf("", 2, 100), "rANS order: found the end, expected a byte");
}

TEST(RansTest, RefusesOtherLengths) {
  for (const std::string& good : {FromHex(kOrder0), FromHex(kOrder1)}) {
    const auto with_length = [&](const std::string& length) {
      return good.substr(0, 1) + length + good.substr(2);
    };
    ASSERT_EQ(with_length(Number(100)), good);
    for (const std::uint64_t length : {0ULL, 99ULL, 101ULL, 1ULL << 30, 1ULL << 32, 1ULL << 34}) {
      EXPECT_EQ(ErrorOf(with_length(Number(length)), 2, 100),
                absl::StrCat("rANS length: found ", length, ", expected 100 levels"));
    }
    EXPECT_EQ(ErrorOf(good, 2, 101), "rANS length: found 100, expected 101 levels");
    EXPECT_EQ(ErrorOf(with_length(Byte(0x80) + Byte(100)), 2, 100),
              "rANS length: found a leading zero, expected its shortest form");
    EXPECT_EQ(ErrorOf(with_length(std::string(6, '\xFF')), 2, 100),
              "rANS length: found more bytes, expected at most 5");
    EXPECT_EQ(ErrorOf(good, 2, kMaxRansLevels + 1),
              absl::StrCat("rANS levels: found ", kMaxRansLevels + 1, ", expected at most ",
                           kMaxRansLevels));
  }
}

TEST(RansTest, RefusesTablesThatNobodyNeeds) {
  const std::string good = WithCompressedTable();
  // The head is the order, three bytes of length, the kind, and two bytes of either length.
  const auto with = [&](std::size_t at, std::size_t size, const std::string& bytes) {
    return good.substr(0, at) + bytes + good.substr(at + size);
  };
  const auto error = [&](const std::string& coded) {
    return ErrorOf(coded, 6, kLeastOrder1Levels);
  };
  ASSERT_EQ(good[4] & 1, 1);
  for (const int kind : {0x00, 0x01, 0x91, 0xB1, 0xD1, 0xF1, 0xA3, 0xA5, 0xC9}) {
    EXPECT_EQ(error(with(4, 1, Byte(kind))),
              absl::StrCat("rANS table: found ", kind,
                           ", expected a shift of 10 or 12, compressed or not"));
  }
  for (const std::uint64_t whole : {0ULL, 8323ULL, 1ULL << 31, 1ULL << 32}) {
    EXPECT_EQ(error(with(5, 2, Number(whole))),
              absl::StrCat("rANS table length: found ", whole, ", expected 1 to 8322"));
  }
  EXPECT_EQ(error(with(7, 2, Number(good.size() - 8))),
            absl::StrCat("rANS compressed table length: found ", good.size() - 8,
                         ", expected at most ", good.size() - 9));
  EXPECT_THAT(error(with(7, 2, Number(good.size() - 9))),
              HasSubstr("rANS stream: found 0 bytes behind its head, expected at least 16"));
}

TEST(RansTest, RefusesLevelsOutOfRange) {
  Levels levels = Draw(2000, 3, 0.5, 1);
  levels[1234] = 8;
  const std::string coded = RansEncode(levels, kAnySize).value();
  EXPECT_EQ(ErrorOf(coded, 3, 2000), "rANS level 1234: found 8, expected at most 7");
  EXPECT_EQ(Decoded(coded, 4, 2000), levels);
}

TEST(RansTest, RefusesWhatIsCutOff) {
  for (const std::string& good : {FromHex(kOrder0), FromHex(kOrder1)}) {
    for (std::size_t size = 0; size < 18; ++size) {
      EXPECT_THAT(ErrorOf(good.substr(0, size), 2, 100), HasSubstr("rANS "));
    }
  }
  const std::string good = WithCompressedTable();
  for (std::size_t size = 0; size < 1000; ++size) {
    EXPECT_THAT(ErrorOf(good.substr(0, size), 6, kLeastOrder1Levels), HasSubstr("rANS "));
  }
}

// The library has no checksum: a change may give other levels, but as many and in range.
TEST(RansTest, ChangesAreRefusedOrHarmless) {
  const std::string long_one = WithCompressedTable();
  const auto check = [](std::string coded, std::size_t at, int change, int bits,
                        std::size_t count) {
    coded[at] = static_cast<char>(coded[at] ^ change);
    const auto levels = RansDecode(coded, bits, count);
    if (!levels.ok()) {
      ASSERT_EQ(levels.status().code(), absl::StatusCode::kInvalidArgument);
      return;
    }
    for (std::size_t i = 0; i < count; ++i) {
      ASSERT_LT(static_cast<unsigned char>((*levels)[i]), 1 << bits);
    }
  };
  for (const std::string& good : {FromHex(kOrder0), FromHex(kOrder1)}) {
    for (std::size_t at = 0; at < good.size(); ++at) {
      for (int change = 1; change < 256; ++change) check(good, at, change, 2, 100);
    }
  }
  for (std::size_t at = 0; at < 600; ++at) {
    for (const int change : {1, 16, 128, 255}) check(long_one, at, change, 6, kLeastOrder1Levels);
  }
}

TEST(RansTest, RandomBytesAreRefusedOrHarmless) {
  std::mt19937 random(3);
  for (int round = 0; round < 20'000; ++round) {
    std::string coded = Byte(round % 2) + Number(100);
    if (round % 2 == 1) coded += Byte(0xA0 + round / 2 % 2);
    const std::size_t size = coded.size() + random() % 60;
    while (coded.size() < size) coded += Byte(static_cast<int>(random() % 4 == 0 ? random() : 1));
    const auto levels = RansDecode(coded, 2, 100);
    if (!levels.ok()) continue;
    for (int i = 0; i < 100; ++i) ASSERT_LT(static_cast<unsigned char>((*levels)[i]), 4);
  }
}

}  // namespace
}  // namespace cleave
