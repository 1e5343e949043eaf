#include "codec/block_transform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace cleave {
namespace {

using ::testing::HasSubstr;

std::vector<float> Noise(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(1, 3);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

struct Case {
  Shape shape;
  int blocks;
  int bands;
};

class BlockTransformTest : public ::testing::TestWithParam<Case> {};

TEST_P(BlockTransformTest, ComesBackWhateverTheShape) {
  const BlockLayout layout = *BlockLayout::Of(GetParam().shape);
  EXPECT_EQ(layout.blocks(), GetParam().blocks);
  EXPECT_EQ(layout.bands(), GetParam().bands);
  const std::vector<float> item = Noise(layout.item_elements());
  const std::vector<float> mean(static_cast<std::size_t>(layout.channels), 0.5F);
  std::vector<float> coefficients(layout.coefficients());
  ToCoefficients(layout, item, mean, coefficients);
  std::vector<float> back(item.size());
  FromCoefficients(layout, coefficients, mean, back);
  for (std::size_t i = 0; i < item.size(); ++i) ASSERT_NEAR(back[i], item[i], 1e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(Shapes, BlockTransformTest,
                         ::testing::Values(Case{{1, 3, 8, 12}, 6, 16}, Case{{2, 5, 7, 9}, 6, 16},
                                           Case{{1, 2, 4, 4}, 1, 16}, Case{{1, 7, 3, 5}, 15, 1},
                                           Case{{3, 9}, 1, 1}, Case{{2, 6, 4}, 6, 1},
                                           Case{{1, 1, 1, 1}, 1, 1}));

TEST(BlockTransformTest, KeepsLengthsAndPutsConstantsIntoTheFirstBand) {
  const BlockLayout layout = *BlockLayout::Of({1, 2, 8, 8});
  const std::vector<float> mean(2, 0);
  const std::vector<float> item = Noise(128);
  std::vector<float> coefficients(128);
  ToCoefficients(layout, item, mean, coefficients);
  double before = 0;
  double after = 0;
  for (std::size_t i = 0; i < item.size(); ++i) {
    before += item[i] * item[i];
    after += coefficients[i] * coefficients[i];
  }
  EXPECT_NEAR(after / before, 1, 1e-5);
  ToCoefficients(layout, std::vector<float>(128, 3), mean, coefficients);
  for (std::size_t i = 0; i < coefficients.size(); ++i) {
    EXPECT_NEAR(coefficients[i], i % 32 < 2 ? 12 : 0, 1e-5) << i;  // [block][band][channel].
  }
}

TEST(BlockTransformTest, LowerFrequenciesComeFirst) {
  const BlockLayout layout = *BlockLayout::Of({1, 1, 4, 4});
  std::vector<float> wave;
  for (int y = 0; y < 4; ++y) {
    for (int x = 0; x < 4; ++x) {
      wave.push_back(static_cast<float>(std::cos(M_PI / 4 * (x + 0.5))));
    }
  }
  std::vector<float> coefficients(16);
  ToCoefficients(layout, wave, std::vector<float>{0}, coefficients);
  for (int band = 0; band < 16; ++band) {
    EXPECT_NEAR(coefficients[band], band == 1 ? std::sqrt(8) : 0, 1e-5) << band;
  }
}

TEST(BlockLayoutTest, RefusesWhatHasNoChannels) {
  for (const Shape& shape : {Shape{3}, Shape{}, Shape{1, 2, 3, 4, 5}, Shape{1, 0, 4, 4},
                             Shape{1, 3, std::int64_t{1} << 40, 4}}) {
    EXPECT_THAT(std::string(BlockLayout::Of(shape).status().message()), HasSubstr("shape: found"));
  }
  EXPECT_FALSE(BlockLayout::Of({1, 3, 8}, 4).ok());
  EXPECT_EQ(BlockLayout::Of({1, 3, 2, 2}, 4)->blocks(), 1);
}

}  // namespace
}  // namespace cleave
