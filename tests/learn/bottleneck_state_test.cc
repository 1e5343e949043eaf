#include "learn/bottleneck_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace cleave {
namespace {

using ::testing::HasSubstr;

constexpr BottleneckState::Limits kLimits = {.steps = 100, .points_of_record = 2};

BottleneckState Some() {
  BottleneckState state;
  state.step = 40;
  state.seconds = 1.5;
  state.loss_sum = 0.25;
  state.loss_count = 3;
  state.curve = RateCurve({{0, 1, 60}, {1, 2, 50}, {2, 3, 40}, {3, 4, 30}, {4, 5, 20}, {5, 6, 10}});
  state.records = {{20, 0.9, {{1, 2, 45}, {4, 5, 18}}, 0.95},
                   {40, 0.8, {{1, 2, 40}, {4, 5, 15}}, 0.9}};
  return state;
}

std::string Fault(BottleneckState::Numbers numbers) {
  return std::string(
      BottleneckState::FromNumbers(std::move(numbers), kLimits, "file").status().message());
}

TEST(BottleneckStateTest, NumbersGiveBackTheSameState) {
  const BottleneckState::Numbers numbers = Some().ToNumbers();
  const auto back = BottleneckState::FromNumbers(numbers, kLimits, "file");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToNumbers(), numbers);
  EXPECT_EQ(back->step, 40);
  EXPECT_EQ(back->loss_count, 3);
  ASSERT_EQ(back->records.size(), 2U);
  EXPECT_EQ(back->records[1].points[1].bytes, 15);
  EXPECT_EQ(back->records[1].ratio, 0.9);
}

TEST(BottleneckStateTest, NumbersThatAreNotAStatesAreRefusedByName) {
  BottleneckState::Numbers numbers = Some().ToNumbers();
  numbers["progress"].pop_back();
  EXPECT_THAT(Fault(numbers), HasSubstr("file: progress"));
  numbers = Some().ToNumbers();
  numbers["progress"][0] = 101;
  EXPECT_THAT(Fault(numbers), HasSubstr("file: step: found 101"));
  numbers = Some().ToNumbers();
  numbers.erase("codec");
  EXPECT_THAT(Fault(numbers), HasSubstr("file: codec"));
  numbers = Some().ToNumbers();
  numbers["codec"][1] = -1;
  EXPECT_THAT(Fault(numbers), HasSubstr("file: codec: found -1"));
  numbers = Some().ToNumbers();
  numbers["records"].pop_back();
  EXPECT_THAT(Fault(numbers),
              HasSubstr("file: records: found 17 numbers, expected a multiple of 9"));
}

}  // namespace
}  // namespace cleave
