#include "codec/resample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace cleave {
namespace {

using testing::Each;
using testing::ElementsAreArray;

RgbImage Pattern(int width, int height) {
  RgbImage image({width, height});
  auto* to = image.rgb.data();
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int channel = 0; channel < 3; ++channel) {
        *to++ = static_cast<std::uint8_t>(x * 37 + y * 101 + channel * 53 + x * y * 7);
      }
    }
  }
  return image;
}

RgbImage Whole(const RgbImage& image, ImageSize size) {
  return Resample(image, size, {0, 0, size});
}

struct PillowCase {
  ImageSize from;
  ImageSize to;
  std::vector<int> rgb;
};

class PillowTest : public testing::TestWithParam<PillowCase> {};

// tests/codec/pillow_test.py compares many more sizes where Pillow is at hand.
TEST_P(PillowTest, MakesWhatPillowMakes) {
  const PillowCase& expected = GetParam();
  EXPECT_THAT(Whole(Pattern(expected.from.width, expected.from.height), expected.to).rgb,
              ElementsAreArray(expected.rgb));
}

// What Pillow 9.4 makes of the same pattern, by Image.resize(size, Image.BILINEAR).
INSTANTIATE_TEST_SUITE_P(
    Sizes, PillowTest,
    testing::Values(
        PillowCase{{7, 5}, {4, 3}, {64,  117, 165, 127, 149, 145, 121, 143, 167, 153, 129, 119,
                                    165, 157, 130, 137, 130, 124, 121, 142, 93,  168, 147, 132,
                                    130, 120, 168, 117, 110, 106, 123, 116, 92,  112, 102, 148}},
        PillowCase{{4, 3}, {6, 5}, {0,   53,  106, 19,  72,  125, 43,  96,  149, 68,  121, 174, 93,
                                    146, 199, 111, 164, 217, 40,  93,  146, 61,  114, 167, 87,  140,
                                    176, 114, 167, 134, 140, 142, 144, 160, 110, 163, 101, 154, 207,
                                    123, 176, 229, 152, 205, 216, 182, 235, 74,  211, 136, 61,  233,
                                    30,  83,  162, 215, 114, 186, 162, 138, 192, 117, 154, 122, 149,
                                    117, 129, 131, 132, 153, 103, 156, 202, 255, 52,  228, 153, 78,
                                    219, 59,  112, 82,  92,  145, 74,  127, 180, 99,  152, 205}},
        PillowCase{
            {9, 2},
            {3, 2},
            {46, 99, 152, 148, 173, 169, 90, 79, 100, 156, 177, 166, 106, 102, 127, 142, 195, 88}},
        PillowCase{{2, 9}, {2, 4}, {84,  137, 138, 126, 128, 181, 120, 166, 151, 170, 98,  151,
                                    176, 123, 157, 125, 121, 106, 117, 170, 114, 95,  148, 150}}));

TEST(ResampleTest, AWindowIsThatPartOfTheWhole) {
  const RgbImage image = Pattern(50, 37);
  for (const ImageSize size : {ImageSize{50, 37}, {50, 20}, {21, 37}, {23, 19}, {90, 71}, {7, 3}}) {
    const RgbImage whole = Whole(image, size);
    const Window window = {size.width / 3, size.height / 3, {size.width / 2, size.height / 2}};
    const RgbImage part = Resample(image, size, window);
    ASSERT_EQ(part.size, window.size);
    for (int y = 0; y < window.size.height; ++y) {
      for (std::size_t i = 0; i < part.row_bytes(); ++i) {
        ASSERT_EQ(part.row(y)[i], whole.row(window.top + y)[3 * window.left + i])
            << size.width << "x" << size.height << ": " << y << ", " << i;
      }
    }
  }
}

TEST(ResampleTest, OneColourStaysThatColour) {
  for (const int value : {0, 1, 127, 254, 255}) {
    RgbImage image({61, 45});
    std::fill(image.rgb.begin(), image.rgb.end(), static_cast<std::uint8_t>(value));
    for (const ImageSize size : {ImageSize{1, 1}, {13, 7}, {61, 45}, {122, 91}, {300, 11}}) {
      EXPECT_THAT(Whole(image, size).rgb, Each(value));
    }
  }
}

TEST(ResampleTest, TakesTheLongestSides) {
  RgbImage line({1 << 16, 1});
  std::fill(line.rgb.begin(), line.rgb.end(), std::uint8_t{77});
  EXPECT_THAT(Whole(line, {1, 1}).rgb, Each(77));
  EXPECT_THAT(Whole(line, {3, 5}).rgb, Each(77));
  RgbImage column({1, 1 << 16});
  column.rgb.back() = 255;
  EXPECT_THAT(Whole(column, {1, 2}).rgb, Each(0));
}

}  // namespace
}  // namespace cleave
