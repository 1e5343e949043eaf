#include "core/status_macros.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace cleave {
namespace {

absl::StatusOr<int> Half(int value) {
  if (value % 2 != 0) return absl::InvalidArgumentError("odd");
  return value / 2;
}

absl::StatusOr<int> Quarter(int value) {
  CLEAVE_ASSIGN_OR_RETURN(const int half, Half(value));
  CLEAVE_ASSIGN_OR_RETURN(int quarter, Half(half));
  return quarter;
}

absl::Status CheckTwice(int value, int& evaluated) {
  CLEAVE_RETURN_IF_ERROR((++evaluated, Half(value).status()));
  CLEAVE_RETURN_IF_ERROR((++evaluated, Half(value / 2).status()));
  return absl::OkStatus();
}

TEST(StatusMacrosTest, AssignBindsTheValueOrLeaves) {
  EXPECT_EQ(Quarter(12).value(), 3);
  EXPECT_EQ(Quarter(6).status(), absl::InvalidArgumentError("odd"));
  EXPECT_EQ(Quarter(3).status().message(), "odd");
}

TEST(StatusMacrosTest, AssignMovesWhatCannotBeCopied) {
  const auto make = []() -> absl::StatusOr<std::unique_ptr<int>> {
    return std::make_unique<int>(4);
  };
  const auto use = [&]() -> absl::StatusOr<int> {
    CLEAVE_ASSIGN_OR_RETURN(const std::unique_ptr<int> value, make());
    return *value;
  };
  EXPECT_EQ(use().value(), 4);
}

TEST(StatusMacrosTest, ReturnIfErrorEvaluatesOnceAndStopsAtTheFirst) {
  int evaluated = 0;
  EXPECT_TRUE(CheckTwice(4, evaluated).ok());
  EXPECT_EQ(evaluated, 2);
  EXPECT_FALSE(CheckTwice(3, evaluated).ok());
  EXPECT_EQ(evaluated, 3);
}

}  // namespace
}  // namespace cleave
