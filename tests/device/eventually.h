#ifndef CLEAVE_TESTS_DEVICE_EVENTUALLY_H_
#define CLEAVE_TESTS_DEVICE_EVENTUALLY_H_

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <thread>

namespace cleave::testing {

// Passes as soon as the condition has held once; it may be one that does not last.
inline void Eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ADD_FAILURE() << "the condition never held";
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_DEVICE_EVENTUALLY_H_
