#include "core/in_parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

#include "absl/status/status.h"

namespace cleave {
namespace {

TEST(InParallelTest, CallsEachNumberOnce) {
  for (const int threads : {1, 3}) {
    std::vector<std::atomic<int>> calls(50);
    ASSERT_TRUE(InParallel(calls.size(), threads, [&](std::size_t i) {
                  ++calls[i];
                  return absl::OkStatus();
                }).ok());
    for (const std::atomic<int>& each : calls) EXPECT_EQ(each, 1);
  }
}

TEST(InParallelTest, ReturnsAnErrorAndStopsThatThread) {
  int calls = 0;
  const absl::Status status = InParallel(10, 1, [&](std::size_t i) {
    ++calls;
    return i == 3 ? absl::DataLossError("three") : absl::OkStatus();
  });
  EXPECT_EQ(status.message(), "three");
  EXPECT_EQ(calls, 4);
}

TEST(InParallelTest, NoNumbersAreNoCalls) {
  EXPECT_TRUE(InParallel(0, 2, [](std::size_t) { return absl::InternalError("called"); }).ok());
}

}  // namespace
}  // namespace cleave
