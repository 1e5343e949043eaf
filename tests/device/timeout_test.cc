#include "device/timeout.h"

#include <gtest/gtest.h>

namespace cleave {
namespace {

WaitTerms Terms() {
  WaitTerms terms;
  terms.remote_us = 50'000;
  terms.tail_on_device_us = 100'000;
  terms.device_slowdown = {2, 0.1};
  terms.remote_timeout_us = 10'000'000;
  return terms;
}

TEST(RemoteTimeout, WaitsAFewTimesWhatItWouldCostHere) {
  EXPECT_EQ(RemoteTimeoutUs(Terms()), 4 * (50'000 + 200'000));
}

TEST(RemoteTimeout, IsNeverImpatientNorEndless) {
  WaitTerms terms = Terms();
  terms.remote_us = 10;
  terms.tail_on_device_us = 10;
  EXPECT_EQ(RemoteTimeoutUs(terms), 300'000);
  terms.remote_us = 60e6;
  EXPECT_EQ(RemoteTimeoutUs(terms), 10'000'000);
}

TEST(RemoteTimeout, AUserWhoFixedThePlanGetsTheWholeTimeout) {
  WaitTerms terms = Terms();
  terms.user_chose_plan = true;
  EXPECT_EQ(RemoteTimeoutUs(terms), 10'000'000);
}

TEST(RemoteTimeout, ADeadlineLeavesTheDeviceItsTime) {
  WaitTerms terms = Terms();
  terms.remaining_us = 400'000;
  const std::int64_t timeout_us = RemoteTimeoutUs(terms);
  EXPECT_GT(timeout_us, 0);
  EXPECT_LE(timeout_us, 400'000 - 220'000);
}

TEST(RemoteTimeout, NoTimeLeftIsNoWait) {
  WaitTerms terms = Terms();
  terms.remaining_us = 215'000;
  terms.remote_us = 212'000;
  EXPECT_EQ(RemoteTimeoutUs(terms), 0);
}

TEST(RemoteTimeout, AnEdgeThatIsSaferThanTheDeviceIsWaitedFor) {
  WaitTerms terms = Terms();
  terms.remaining_us = 215'000;  // The device takes 200 ms, give or take 20.
  EXPECT_EQ(RemoteTimeoutUs(terms), 4 * (50'000 + 200'000));
}

TEST(RemoteTimeout, ADeadlineBeyondTheDeviceEndsNothing) {
  WaitTerms terms = Terms();
  terms.remaining_us = 150'000;
  EXPECT_EQ(RemoteTimeoutUs(terms), 4 * (50'000 + 200'000));
}

}  // namespace
}  // namespace cleave
