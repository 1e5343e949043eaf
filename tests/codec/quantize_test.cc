#include "codec/quantize.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "codec/kernels.h"

namespace cleave {
namespace {

using testing::HasSubstr;

constexpr int kBits[] = {2, 3, 4, 5, 6, 8};
constexpr float kMax = std::numeric_limits<float>::max();
constexpr float kLeast = std::numeric_limits<float>::denorm_min();

std::vector<float> Normal(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0.5F, 3);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

std::size_t ChannelOf(const RangeLayout& layout, std::size_t at) {
  return at / layout.inner % layout.channels;
}

// Packs as docs/wire-format.md says in the plainest code: one element, one bit at a time.
std::string NaivePacked(const std::vector<float>& values, const RangeLayout& layout,
                        const std::vector<ValueRange>& ranges, int bits) {
  std::string packed((values.size() * bits + 7) / 8, '\0');
  const double top = (1 << bits) - 1;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const ValueRange& range = ranges[ChannelOf(layout, i)];
    const double width = static_cast<double>(range.max) - range.min;
    const double scaled =
        width > 0 ? (values[i] - static_cast<double>(range.min)) * (top / width) : 0;
    const auto level = static_cast<unsigned>(std::floor(scaled + 0.5));
    for (int bit = 0; bit < bits; ++bit) {
      const std::size_t k = i * bits + bit;
      packed[k / 8] = static_cast<char>(packed[k / 8] | (level >> bit & 1) << k % 8);
    }
  }
  return packed;
}

std::vector<float> NaiveUnpacked(const std::string& packed, std::size_t count,
                                 const RangeLayout& layout, const std::vector<ValueRange>& ranges,
                                 int bits) {
  std::vector<float> values;
  const double top = (1 << bits) - 1;
  for (std::size_t i = 0; i < count; ++i) {
    int level = 0;
    for (int bit = 0; bit < bits; ++bit) {
      const std::size_t k = i * bits + bit;
      level |= (packed[k / 8] >> k % 8 & 1) << bit;
    }
    const ValueRange& range = ranges[ChannelOf(layout, i)];
    const double step = (static_cast<double>(range.max) - range.min) / top;
    const double offset = level * step;
    values.push_back(static_cast<float>(range.min + offset));
  }
  return values;
}

void ExpectAgreesWithNaive(const std::vector<float>& values, const RangeLayout& layout) {
  const std::vector<ValueRange> ranges = FindRanges(values, layout).value();
  for (const int bits : kBits) {
    std::string packed = "before";
    QuantizeAndPack(values, layout, ranges, bits, packed);
    ASSERT_EQ(packed, "before" + NaivePacked(values, layout, ranges, bits))
        << values.size() << " elements, " << bits << " bits, inner " << layout.inner;
    packed.erase(0, 6);
    ASSERT_EQ(packed.size(), PackedBytes(values.size(), bits));
    std::vector<float> back(values.size());
    UnpackAndDequantize(packed, layout, ranges, bits, back);
    ASSERT_EQ(back, NaiveUnpacked(packed, values.size(), layout, ranges, bits)) << bits << " bits";
  }
}

TEST(QuantizeTest, AgreesWithTheDocumentAtEverySizeAroundAChunk) {
  for (std::size_t size = 1; size < 70; ++size) ExpectAgreesWithNaive(Normal(size, size), {});
  for (const std::size_t size : {4095, 4096, 4097, 8191, 8192, 8200, 12345}) {
    ExpectAgreesWithNaive(Normal(size, 1), {});
  }
}

TEST(QuantizeTest, AgreesWithTheDocumentForEveryLayoutOfChannels) {
  // An inner of 1 has a kernel of its own; the others have runs that begin and end inside chunks
  // and bytes.
  for (const std::int64_t channels : {1, 2, 3, 8, 64, 1000}) {
    for (const std::int64_t inner : {1, 2, 3, 7, 49, 1000}) {
      for (const std::int64_t outer : {1, 3}) {
        const std::int64_t count = outer * channels * inner;
        if (count > 200'000) continue;
        ExpectAgreesWithNaive(Normal(count, channels), {.channels = channels, .inner = inner});
      }
    }
  }
}

TEST(QuantizeTest, AgreesWithTheDocumentAtTheEndsOfFloat) {
  ExpectAgreesWithNaive({-kMax, kMax, 0, 1, -kLeast, kMax / 2}, {});
  ExpectAgreesWithNaive({0, kLeast, 2 * kLeast, 3 * kLeast}, {});
  ExpectAgreesWithNaive({kMax, kMax, kMax}, {});
  ExpectAgreesWithNaive({std::nextafter(kMax, 0.0F), kMax}, {});
  ExpectAgreesWithNaive({-kMax, -1, kLeast}, {});
  ExpectAgreesWithNaive({-0.0F, 0.0F, -0.0F}, {});
}

TEST(QuantizeTest, FindsTheRangeOfEachChannel) {
  const std::vector<float> values = {1, -2, 30, 40, 5, 6, 70, -80};
  EXPECT_EQ(FindRanges(values, {}).value(), (std::vector<ValueRange>{{-80, 70}}));
  EXPECT_EQ(FindRanges(values, {.channels = 2, .inner = 2}).value(),
            (std::vector<ValueRange>{{-2, 6}, {-80, 70}}));
  EXPECT_EQ(FindRanges(values, {.channels = 2, .inner = 1}).value(),
            (std::vector<ValueRange>{{1, 70}, {-80, 40}}));
  EXPECT_EQ(FindRanges(values, {.channels = 1, .inner = 3}).value(),
            (std::vector<ValueRange>{{-80, 70}}));
}

TEST(QuantizeTest, NamesTheFirstElementThatIsNotFinite) {
  const float inf = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::pair<float, std::string> cases[] = {
      {nan, "nan"}, {-nan, "nan"}, {inf, "inf"}, {-inf, "-inf"}};
  for (const auto& [bad, name] : cases) {
    for (const RangeLayout layout : {RangeLayout{}, RangeLayout{10, 1}, RangeLayout{10, 10}}) {
      for (const std::size_t at : {0, 7, 98}) {
        std::vector<float> values = Normal(100, 1);
        values[at] = bad;
        values[99] = nan;
        const absl::Status status = FindRanges(values, layout).status();
        EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
        EXPECT_THAT(status.message(), HasSubstr(absl::StrCat("element ", at, ": found ")));
        EXPECT_THAT(status.message(), HasSubstr(absl::StrCat(name, ", expected a finite number")));
      }
    }
  }
}

TEST(QuantizeTest, PacksEveryLevelAtEveryPlaceAndBack) {
  for (const int bits : kBits) {
    for (int level = 0; level < 1 << bits; ++level) {
      for (int place = 0; place < 16; ++place) {
        std::uint8_t levels[16] = {};
        levels[place] = static_cast<std::uint8_t>(level);
        std::uint8_t packed[16 + kPackSlack] = {};
        PackLevels(bits, levels, 2, packed);
        const int k = place * bits;
        const int word = packed[k / 8] | packed[k / 8 + 1] << 8;
        ASSERT_EQ(word >> k % 8 & ((1 << bits) - 1), level) << bits << " bits at " << place;
        std::uint8_t back[16];
        UnpackLevels(bits, packed, 2, back);
        ASSERT_EQ(std::memcmp(levels, back, 16), 0) << bits << " bits at " << place;
      }
    }
  }
}

TEST(QuantizeTest, ADecoderTakesLevelsThatNoEncoderWrites) {
  const std::vector<ValueRange> ranges = {{-kMax, kMax}};
  for (const int bits : kBits) {
    std::string packed(PackedBytes(64, bits), '\xFF');
    std::vector<float> values(64);
    UnpackAndDequantize(packed, {}, ranges, bits, values);
    for (const float value : values) ASSERT_EQ(value, kMax);
  }
}

// Rounds to the nearest binary16 in plain double arithmetic.
double NearestHalf(double value) {
  const int exponent = value == 0 ? -14 : std::max(-14, std::ilogb(value));
  const double unit = std::ldexp(1.0, exponent - 10);
  return std::nearbyint(value / unit) * unit;
}

TEST(HalfTest, EveryFiniteHalfComesBackAsItself) {
  for (int half = 0; half < 1 << 16; ++half) {
    const auto bits = static_cast<std::uint16_t>(half);
    float value = 0;
    const bool finite = HalvesToFloats(&bits, 1, &value);
    ASSERT_EQ(finite, (half & 0x7C00) != 0x7C00) << half;
    if (!finite) continue;
    const int exponent = half >> 10 & 31;
    const int fraction = half & 0x3FF;
    const double magnitude =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    ASSERT_EQ(std::abs(value), magnitude) << half;
    ASSERT_EQ(std::signbit(value), half >> 15 == 1) << half;
    std::uint16_t back = 0;
    FloatsToHalves(&value, 1, &back);
    ASSERT_EQ(back, half);
  }
}

TEST(HalfTest, RoundsToNearestAndTiesToEven) {
  std::vector<float> values = {0x1p-24F, 0x1p-25F, 0x1.8p-24F, 0x1p-26F,     0x1.000002p-25F,
                               1e-40F,   65504,    65503,      0x1.FFCp-15F, 0x1.FFEp-15F,
                               2049,     2051,     0x1p-14F};
  std::mt19937 random(5);
  for (int i = 0; i < 100'000; ++i) {
    const double value =
        std::ldexp(static_cast<double>(random()), static_cast<int>(random() % 48) - 64);
    values.push_back(static_cast<float>(random() % 2 == 0 ? value : -value));
  }
  // Tests values halfway to the next one.
  for (int half = 0; half < 0x7BFF; ++half) {
    const std::uint16_t two[] = {static_cast<std::uint16_t>(half),
                                 static_cast<std::uint16_t>(half + 1)};
    float ends[2];
    HalvesToFloats(two, 2, ends);
    values.push_back((ends[0] + ends[1]) / 2);
  }
  std::vector<std::uint16_t> halves(values.size());
  FloatsToHalves(values.data(), values.size(), halves.data());
  std::vector<float> back(values.size());
  ASSERT_TRUE(HalvesToFloats(halves.data(), halves.size(), back.data()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(back[i], NearestHalf(values[i])) << values[i];
  }
}

}  // namespace
}  // namespace cleave
