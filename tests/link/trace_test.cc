#include "link/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <limits>
#include <random>
#include <string>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

using testing::HasSubstr;

Trace Parsed(absl::string_view text) { return Trace::Parse(text, "t").value(); }

std::string ParseError(absl::string_view text) {
  const absl::Status status = Trace::Parse(text, "t.up").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return std::string(status.message());
}

void ExpectInverse(const Trace& trace) {
  const std::int64_t period_bytes = trace.BytesBy(trace.period_ms() * 1000);
  const std::int64_t step = std::max<std::int64_t>(period_bytes / 5'000, 1) | 1;
  for (std::int64_t bytes = 1; bytes < 3 * period_bytes; bytes += step) {
    const std::int64_t us = trace.TimeOfBytesUs(bytes);
    ASSERT_GE(trace.BytesBy(us), bytes);
    if (us > 0) {
      ASSERT_LT(trace.BytesBy(us - 1), bytes);
    }
  }
}

TEST(TraceTest, CountsThePacketsThatMayHavePassed) {
  const Trace trace = Parsed("0\n5\n5\n10\n");
  EXPECT_EQ(trace.period_ms(), 10);
  EXPECT_EQ(trace.BytesBy(-1), 0);
  EXPECT_EQ(trace.BytesBy(0), 1500);
  EXPECT_EQ(trace.BytesBy(4'999), 1500);
  EXPECT_EQ(trace.BytesBy(5'000), 4500);
  // These are its own last packet and the next period's first.
  EXPECT_EQ(trace.BytesBy(10'000), 5 * 1500);
  EXPECT_DOUBLE_EQ(trace.mean_bps(), 4 * 1500 * 8 * 100.0);
}

TEST(TraceTest, TimeOfBytesIsTheInverse) {
  ExpectInverse(Parsed("1\n"));
  ExpectInverse(Parsed("0\n0\n0\n7\n"));
  ExpectInverse(Parsed("0\n5\n5\n10\n"));
  std::mt19937 random(3);
  for (int run = 0; run < 30; ++run) {
    std::string text;
    std::int64_t ms = 0;
    for (unsigned i = 0; i < 1 + random() % 200; ++i) {
      ms += random() % 4 == 0 ? random() % 50 : 0;
      absl::StrAppend(&text, ms, "\n");
    }
    ExpectInverse(Parsed(absl::StrCat(text, ms + 1, "\n")));
  }
}

TEST(TraceTest, RateOverManyPeriodsIsTheMean) {
  const Trace trace = Parsed("0\n5\n5\n10\n");
  EXPECT_NEAR(trace.RateBps(0, 1'000'000), trace.mean_bps(), trace.mean_bps() * 0.01);
  EXPECT_DOUBLE_EQ(trace.RateBps(5'000, 1'000), 2 * 1500 * 8 * 1000.0);
  EXPECT_DOUBLE_EQ(trace.RateBps(1'000, 3'000), 0);
  EXPECT_DOUBLE_EQ(trace.RateBps(0, 0), 0);
}

TEST(TraceTest, FarAwayTimesAndBytesSaturate) {
  const Trace trace = Parsed("1\n31622400000\n");
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(trace.TimeOfBytesUs(kMost), kMost);
  EXPECT_EQ(Parsed("1\n").BytesBy(kMost), kMost);
}

TEST(TraceTest, TakesWindowsLinesAndAMissingLastNewline) {
  EXPECT_EQ(Parsed("1\r\n2\r\n3").opportunities_ms(), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(Parsed("1\n2\n\n\n").opportunities_ms(), (std::vector<std::int64_t>{1, 2}));
}

TEST(TraceTest, RefusesWhatIsNoTrace) {
  EXPECT_THAT(ParseError("1\nfast\n3\n"), HasSubstr("t.up:2: found 'fast'"));
  EXPECT_THAT(ParseError("1\n-2\n"), HasSubstr("t.up:2: found '-2'"));
  EXPECT_THAT(ParseError("1\n2.5\n"), HasSubstr("t.up:2"));
  EXPECT_THAT(ParseError("+1\n"), HasSubstr("t.up:1"));
  EXPECT_THAT(ParseError("5\n3\n"), HasSubstr("from 5"));
  EXPECT_THAT(ParseError("1\n\n3\n"), HasSubstr("t.up:2: found ''"));
  EXPECT_THAT(ParseError(""), HasSubstr("found no line"));
  EXPECT_THAT(ParseError("\n\n"), HasSubstr("found no line"));
  EXPECT_THAT(ParseError("0\n0\n"), HasSubstr("last line of 0"));
  EXPECT_THAT(ParseError("99999999999999999999999\n"), HasSubstr("t.up:1"));
  EXPECT_THAT(ParseError("9223372036854775807\n"), HasSubstr("t.up:1"));
  EXPECT_THAT(ParseError(absl::string_view("1\0\n", 3)), HasSubstr("'1?'"));
  EXPECT_THAT(ParseError(std::string(1000, 'x')), HasSubstr("..."));
}

TEST(TraceTest, RefusesAHugeFile) {
  EXPECT_THAT(ParseError(std::string((64 << 20) + 1, '1')), HasSubstr("bytes, expected at most"));
}

TEST(TraceTest, LoadNamesAMissingFile) {
  const absl::Status status = Trace::Load("no/such.up").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("no/such.up"));
}

std::filesystem::path TraceDir() {
  const char* dir = std::getenv("CLEAVE_DATA_DIR");
  return std::filesystem::path(dir != nullptr ? dir : CLEAVE_DATA_DIR) / "traces";
}

class RecordedTraceTest : public testing::TestWithParam<const char*> {};

TEST_P(RecordedTraceTest, LoadsAndInverts) {
  const std::filesystem::path path = TraceDir() / GetParam();
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no trace at " << path;
  const Trace trace = Trace::Load(path.string()).value();
  EXPECT_GT(trace.period_ms(), 100'000);
  EXPECT_GT(trace.mean_bps(), 1e6);
  EXPECT_LT(trace.mean_bps(), 100e6);
  ExpectInverse(trace);
}

INSTANTIATE_TEST_SUITE_P(Shared, RecordedTraceTest,
                         testing::Values("ATT-LTE-driving-2016.down", "ATT-LTE-driving-2016.up",
                                         "TMobile-LTE-short.down", "TMobile-LTE-short.up",
                                         "Verizon-LTE-short.down", "Verizon-LTE-short.up"));

}  // namespace
}  // namespace cleave
