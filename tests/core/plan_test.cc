#include "cleave/plan.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

TEST(PlanTest, NamesAreTheOnesOfTheRecords) {
  EXPECT_EQ(EncodingName(Encoding::kFp32), "fp32");
  EXPECT_EQ(WhereName(Where::kDevice), "device");
  EXPECT_EQ(WhereName(Where::kSplit), "split");
  EXPECT_EQ(WhereName(Where::kEdge), "edge");
}

TEST(PlanTest, PlansCompareByAllTheirParts) {
  EXPECT_EQ((Plan{0, 3, Encoding::kFp32}), (Plan{0, 3, Encoding::kFp32}));
  EXPECT_NE((Plan{0, 3, Encoding::kFp32}), (Plan{0, 4, Encoding::kFp32}));
  EXPECT_NE((Plan{1, 3, Encoding::kFp32}), (Plan{0, 3, Encoding::kFp32}));
}

}  // namespace
}  // namespace cleave
