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

TEST(PlanTest, EncodingsAreFoundByTheirNames) {
  for (const char* name :
       {"fp32",   "fp16",   "q8",     "q6",     "q5",     "q4",    "q3",   "q2",
        "t1",     "t2",     "t3",     "t4",     "t5",     "t6",    "jpeg", "jpeg90",
        "jpeg75", "jpeg50", "webp90", "webp75", "webp50", "webp25"}) {
    EXPECT_EQ(EncodingName(ParseEncoding(name).value()), name);
  }
  EXPECT_EQ(EncodingName(static_cast<Encoding>(AllEncodings().size())), "unknown");
  const absl::Status status = ParseEncoding("q7").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(
      status.message(),
      "encoding: found 'q7', expected one of fp32 fp16 q8 q6 q5 q4 q3 q2 t1 t2 t3 t4 t5 t6 jpeg "
      "jpeg90 jpeg75 jpeg50 webp90 webp75 webp50 webp25");
}

TEST(PlanTest, TellsPicturesAndWhatLosesNothing) {
  int pictures = 0;
  for (const Encoding encoding : AllEncodings()) pictures += IsPicture(encoding) ? 1 : 0;
  EXPECT_EQ(pictures, 8);
  EXPECT_TRUE(IsExact(Encoding::kFp32));
  EXPECT_TRUE(IsExact(Encoding::kJpeg));
  EXPECT_FALSE(IsExact(Encoding::kFp16));
  EXPECT_FALSE(IsExact(Encoding::kJpeg90));
  EXPECT_FALSE(IsExact(Encoding::kT1));
  EXPECT_FALSE(IsExact(Encoding::kWebp90));
  EXPECT_EQ(CodecRate(Encoding::kT1), 0);
  EXPECT_EQ(CodecRate(Encoding::kT6), 5);
  EXPECT_EQ(CodecRate(Encoding::kQ2), std::nullopt);
  EXPECT_EQ(CodecRate(Encoding::kJpeg), std::nullopt);
}

TEST(PlanTest, PlansCompareByAllTheirParts) {
  EXPECT_EQ((Plan{0, 3, Encoding::kFp32}), (Plan{0, 3, Encoding::kFp32}));
  EXPECT_NE((Plan{0, 3, Encoding::kFp32}), (Plan{0, 4, Encoding::kFp32}));
  EXPECT_NE((Plan{1, 3, Encoding::kFp32}), (Plan{0, 3, Encoding::kFp32}));
}

}  // namespace
}  // namespace cleave
