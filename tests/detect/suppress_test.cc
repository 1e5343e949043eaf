#include "detect/suppress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;
using Suppression = DetectionHead::Suppression;

TEST(IntersectionOverUnionTest, IsTheSharedArea) {
  EXPECT_DOUBLE_EQ(IntersectionOverUnion({0, 0, 10, 10}, {0, 0, 10, 10}), 1);
  EXPECT_DOUBLE_EQ(IntersectionOverUnion({0, 0, 10, 10}, {5, 0, 15, 10}), 50.0 / 150);
  EXPECT_DOUBLE_EQ(IntersectionOverUnion({0, 0, 10, 10}, {2, 2, 4, 4}), 4.0 / 100);
  EXPECT_DOUBLE_EQ(IntersectionOverUnion({0, 0, 10, 10}, {10, 0, 20, 10}), 0);
  EXPECT_DOUBLE_EQ(IntersectionOverUnion({0, 0, 10, 10}, {20, 20, 30, 30}), 0);
}

TEST(SuppressTest, ABoxGivesWayToABetterOneOfItsClass) {
  // The third overlaps the second, which gave way already, and not the first: it stays.
  const std::vector<Detection> sorted = {{{0, 0, 10, 10}, 1, 0.9},
                                         {{4, 0, 14, 10}, 1, 0.8},
                                         {{8, 0, 18, 10}, 1, 0.7},
                                         {{0, 0, 10, 10}, 2, 0.6}};
  const auto kept = Suppress(sorted, Suppression::kClass, 0.4, 10);
  ASSERT_THAT(kept, SizeIs(3));
  EXPECT_EQ(kept[0].score, 0.9);
  EXPECT_EQ(kept[1].score, 0.7);
  EXPECT_EQ(kept[2].class_index, 2);
  EXPECT_THAT(Suppress(sorted, Suppression::kClass, 0.4, 2), SizeIs(2));
  EXPECT_THAT(Suppress(sorted, Suppression::kNone, 0.4, 10), SizeIs(4));
  // 60 of 140 shared is no overlap above 3/7.
  EXPECT_THAT(Suppress(sorted, Suppression::kClass, 60.0 / 140, 10), SizeIs(4));
}

}  // namespace
}  // namespace cleave
