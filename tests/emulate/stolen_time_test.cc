#include "emulate/stolen_time.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace cleave::emulate {
namespace {

using ::testing::HasSubstr;

TEST(StolenTimeTest, ReadsWhatTheKernelWrites) {
  const auto time = ParseProcessorTime("cpu  100 1 20 300 4 5 6 64 7 8\ncpu0 9 9 9 9 9 9 9 9\n");
  ASSERT_TRUE(time.ok()) << time.status();
  EXPECT_EQ(time->total, 500U) << "guests are in user and nice";
  EXPECT_EQ(time->stolen, 64U);
}

TEST(StolenTimeTest, IsAShareOfWhatPassed) {
  EXPECT_DOUBLE_EQ(StolenShare({.total = 1000, .stolen = 10}, {.total = 1200, .stolen = 60}), 0.25);
  EXPECT_EQ(StolenShare({.total = 1000, .stolen = 10}, {.total = 1000, .stolen = 10}), 0);
  EXPECT_EQ(StolenShare({.total = 1000, .stolen = 10}, {.total = 1100, .stolen = 10}), 0);
  EXPECT_EQ(StolenShare({.total = 1000, .stolen = 10}, {.total = 900, .stolen = 20}), 0);
}

TEST(StolenTimeTest, WhatIsNoneOfTheKernelsIsRefused) {
  for (const std::string bad : {"", "cpu", "cpu 1 2 3 4 5 6 7", "cpu0 1 2 3 4 5 6 7 8",
                                "cpu 1 2 3 4 5 6 7 x", "cpu 1 2 3 4 5 6 7 -8"}) {
    EXPECT_THAT(std::string(ParseProcessorTime(bad).status().message()), HasSubstr("/proc/stat"))
        << bad;
  }
}

TEST(StolenTimeTest, ThisMachinesGoesOn) {
  const auto first = ReadProcessorTime();
  const auto second = ReadProcessorTime();
  ASSERT_TRUE(first.ok() && second.ok()) << first.status() << second.status();
  EXPECT_GT(first->total, 0U);
  EXPECT_GE(second->total, first->total);
  EXPECT_LE(first->stolen, first->total);
}

}  // namespace
}  // namespace cleave::emulate
