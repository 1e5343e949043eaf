#include "core/check.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace cleave {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

TEST(CheckTest, AnErrorNamesTheFieldWhatWasFoundAndWhatWasExpected) {
  const absl::Status status = FieldError("batch", 0, "at least 1");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(), "batch: found 0, expected at least 1");
}

TEST(CheckTest, LimitsAreAllowedAndWhatIsBeyondThemIsNot) {
  EXPECT_TRUE(CheckAtLeast("batch", 1, 1).ok());
  EXPECT_EQ(CheckAtLeast("batch", 0, 1).message(), "batch: found 0, expected at least 1");
  EXPECT_TRUE(CheckRange("tau", 0.0, 0.0, 1.5).ok());
  EXPECT_TRUE(CheckRange("tau", 1.5, 0.0, 1.5).ok());
  EXPECT_EQ(CheckRange("tau", 2.0, 0.0, 1.5).message(), "tau: found 2, expected 0 to 1.5");
  EXPECT_TRUE(CheckShare("drop", std::nullopt).ok());
  EXPECT_TRUE(CheckShare("drop", 1).ok());
  EXPECT_EQ(CheckShare("drop", 1.5).message(), "drop: found 1.5, expected a share from 0 to 1");
  EXPECT_TRUE(CheckNotNegative("watts", 0).ok());
  EXPECT_EQ(CheckNotNegative("watts", -1).message(),
            "watts: found -1, expected a number of at least 0");
  EXPECT_FALSE(CheckNotNegative("watts", std::numeric_limits<double>::infinity()).ok());
}

TEST(CheckTest, NaNIsRefusedEverywhere) {
  EXPECT_FALSE(CheckAtLeast("a", kNaN, 0.0).ok());
  EXPECT_FALSE(CheckRange("a", kNaN, 0.0, 1.0).ok());
  EXPECT_FALSE(CheckShare("a", kNaN).ok());
  EXPECT_FALSE(CheckNotNegative("a", kNaN).ok());
}

TEST(CheckTest, ADigestIs64LowerCaseHexDigits) {
  EXPECT_TRUE(CheckDigest("digest", std::string(64, 'a')).ok());
  for (const std::string& text : {std::string(64, 'A'), std::string(63, 'a'), std::string()}) {
    EXPECT_EQ(CheckDigest("digest", text).message(),
              "digest: found '" + text + "', expected 64 lower-case hex digits");
  }
}

}  // namespace
}  // namespace cleave
