#include "device/encode_cost.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

TEST(EncodeCostTest, LearnsEachEncodingByItself) {
  EncodeCost cost;
  const double q8 = cost.UsPerByte(Encoding::kQ8);
  for (int i = 0; i < 200; ++i) cost.Learn(Encoding::kFp32, 1e6, 5e3, 1);
  EXPECT_NEAR(cost.UsPerByte(Encoding::kFp32), 5e-3, 1e-4);
  EXPECT_EQ(cost.UsPerByte(Encoding::kQ8), q8);
}

TEST(EncodeCostTest, IsAtTheSpeedOfTheProfile) {
  EncodeCost cost;
  for (int i = 0; i < 200; ++i) cost.Learn(Encoding::kQ4, 1e6, 8e3, 4);
  EXPECT_NEAR(cost.UsPerByte(Encoding::kQ4), 2e-3, 1e-4);
  cost.LearnPicture(400, 4);
  EXPECT_EQ(cost.PictureUs(), 100);
}

TEST(EncodeCostTest, ShortRequestsTellNothing) {
  EncodeCost cost;
  const double before = cost.UsPerByte(Encoding::kFp32);
  cost.Learn(Encoding::kFp32, 100, 5e3, 1);
  EXPECT_EQ(cost.UsPerByte(Encoding::kFp32), before);
}

TEST(EncodeCostTest, TellsWhenATableIsStale) {
  EncodeCost older;
  EncodeCost cost = older;
  EXPECT_FALSE(cost.DiffersFrom(older));
  for (int i = 0; i < 50; ++i) cost.Learn(Encoding::kQ2, 1e6, 1e4, 1);
  EXPECT_TRUE(cost.DiffersFrom(older));
  older = cost;
  cost.LearnPicture(1'000, 1);
  EXPECT_TRUE(cost.DiffersFrom(older)) << "pictures cost nothing before the first one";
}

}  // namespace
}  // namespace cleave
