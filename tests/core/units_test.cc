#include "core/units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

using testing::HasSubstr;

TEST(ParseRateTest, ReadsTheUsualForms) {
  for (const char* text : {"10mbit", "10Mbit/s", "10 MBit/s", "10m", "10Mbps", " 10mbit ",
                           "10000kbit", "0.01gbit", "10000000"}) {
    const auto rate = ParseRateBps(text);
    ASSERT_TRUE(rate.ok()) << text << ": " << rate.status();
    EXPECT_NEAR(*rate, 10e6, 1e-3) << text;
  }
  EXPECT_EQ(ParseRateBps("9600").value(), 9600);
  EXPECT_EQ(ParseRateBps("2.5Mbps").value(), 2.5e6);
  EXPECT_EQ(ParseRateBps("300 bit/s").value(), 300);
}

TEST(ParseRateTest, RefusesOthersAndNamesThem) {
  for (const char* text : {"", " ", "fast", "10 parsecs", "mbit", "-1mbit", "0", "0mbit", "1.2.3m",
                           "nan", "inf", "1e999", "10mbitx", "--5", "5-5"}) {
    const absl::Status status = ParseRateBps(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("'", text, "'")));
  }
}

TEST(ParseDurationTest, ReadsTheUsualForms) {
  EXPECT_EQ(ParseDurationUs("250us").value(), 250);
  EXPECT_EQ(ParseDurationUs("20ms").value(), 20'000);
  EXPECT_EQ(ParseDurationUs("1.5s").value(), 1'500'000);
  EXPECT_EQ(ParseDurationUs("2min").value(), 120'000'000);
  EXPECT_EQ(ParseDurationUs("20").value(), 20'000);
  EXPECT_EQ(ParseDurationUs("0").value(), 0);
}

TEST(ParseDurationTest, RefusesOthers) {
  for (const char* text : {"", "soon", "-5ms", "1h30", "5 minutes", "1e30s"}) {
    EXPECT_EQ(ParseDurationUs(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseDataRateTest, ReadsAmountsAndRates) {
  EXPECT_EQ(ParseDataRateBps("30GB/month").value(), 240e9 / (30 * 86'400.0));
  EXPECT_EQ(ParseDataRateBps("108MB/day").value(), 10e3);
  EXPECT_EQ(ParseDataRateBps("450 KB/hour").value(), 1e3);
  EXPECT_EQ(ParseDataRateBps("500kbit/s").value(), 500e3);
  for (const char* text : {"", "/day", "0GB/month", "2GB/year", "2 boxes/day", "-1MB/day", "0"}) {
    const absl::Status status = ParseDataRateBps(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_NE(status.message().find(text), std::string::npos) << status;
  }
}

TEST(ParseBytesTest, ReadsTheUsualForms) {
  EXPECT_EQ(ParseBytes("4096").value(), 4096);
  EXPECT_EQ(ParseBytes("64KiB").value(), 65'536);
  EXPECT_EQ(ParseBytes("16MiB").value(), 16 << 20);
  EXPECT_EQ(ParseBytes("1GiB").value(), 1 << 30);
  EXPECT_EQ(ParseBytes("1MB").value(), 1'000'000);
  EXPECT_EQ(ParseBytes("0.5kb").value(), 500);
  EXPECT_EQ(ParseBytes("7B").value(), 7);
}

TEST(ParseBytesTest, RefusesOthers) {
  for (const char* text : {"", "big", "-1", "1 EB", "1e30"}) {
    EXPECT_EQ(ParseBytes(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseShareTest, ReadsSharesAndPercentages) {
  EXPECT_EQ(ParseShare("0.8").value(), 0.8);
  EXPECT_EQ(ParseShare("80%").value(), 0.8);
  EXPECT_EQ(ParseShare("0").value(), 0);
  EXPECT_EQ(ParseShare("100%").value(), 1);
}

TEST(ParseShareTest, RefusesOthers) {
  for (const char* text : {"", "most", "-1%", "80", "101%", "nan"}) {
    EXPECT_EQ(ParseShare(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(FormatTest, ShowsThreeDigitsWithTheFittingUnit) {
  EXPECT_EQ(FormatRate(2.4e6), "2.40 Mbit/s");
  EXPECT_EQ(FormatRate(300e3), "300 kbit/s");
  EXPECT_EQ(FormatRate(12.34e9), "12.3 Gbit/s");
  EXPECT_EQ(FormatRate(0), "0.00 bit/s");
  EXPECT_EQ(FormatDuration(13'200), "13.2 ms");
  EXPECT_EQ(FormatDuration(2.5e6), "2.50 s");
  EXPECT_EQ(FormatDuration(42), "42.0 us");
  EXPECT_EQ(FormatDuration(-13'200), "-13.2 ms");
  EXPECT_EQ(FormatBytes(602'112), "602 KB");
  EXPECT_EQ(FormatBytes(12), "12.0 B");
}

// What rounds up to the next unit, or to one digit more, is shown as such.
TEST(FormatTest, RoundsAcrossUnitsAndDigits) {
  EXPECT_EQ(FormatBytes(999'700), "1.00 MB");
  EXPECT_EQ(FormatDuration(999.6), "1.00 ms");
  EXPECT_EQ(FormatDuration(9'999), "10.0 ms");
  EXPECT_EQ(FormatDuration(99'990), "100 ms");
}

TEST(FormatTest, WhatItWritesTheParsersRead) {
  for (const double bps : {1.0, 999.0, 56e3, 2e6, 123e6, 10e9}) {
    EXPECT_NEAR(ParseRateBps(FormatRate(bps)).value() / bps, 1, 0.006);
  }
  for (const double us : {3.0, 250.0, 20e3, 1.5e6}) {
    EXPECT_NEAR(ParseDurationUs(FormatDuration(us)).value() / us, 1, 0.006);
  }
}

}  // namespace
}  // namespace cleave
