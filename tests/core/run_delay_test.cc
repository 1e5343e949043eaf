#include "core/run_delay.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

namespace cleave {
namespace {

void StayOnTheFirstProcessor() {
  cpu_set_t first;
  CPU_ZERO(&first);
  ASSERT_EQ(sched_getaffinity(0, sizeof(first), &first), 0);
  int processor = 0;
  while (!CPU_ISSET(processor, &first)) ++processor;
  CPU_ZERO(&first);
  CPU_SET(processor, &first);
  ASSERT_EQ(sched_setaffinity(0, sizeof(first), &first), 0);
}

TEST(RunDelayTest, GrowsWhereTwoThreadsShareAProcessor) {
  if (!std::filesystem::exists("/proc/thread-self/schedstat")) {
    GTEST_SKIP() << "this system does not tell";
  }
  std::atomic<bool> stop = false;
  std::int64_t grown_us = 0;
  std::thread other([&] {
    StayOnTheFirstProcessor();
    while (!stop) {
    }
  });
  std::thread measured([&] {
    StayOnTheFirstProcessor();
    const std::int64_t before_us = ThreadRunDelayUs();
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(400);
    while (std::chrono::steady_clock::now() < end) {
    }
    grown_us = ThreadRunDelayUs() - before_us;
    stop = true;
  });
  measured.join();
  other.join();
  EXPECT_GT(grown_us, 0);
}

}  // namespace
}  // namespace cleave
