#include "wire/call_budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "wire/messages.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;

TEST(CallBudget, RefusesBeyondEachLimitAndNamesIt) {
  CallBudget budget({{2, 100}, {3, 200}, {4, 300}});
  CallBudget::Share one(budget, "ipv4:192.0.2.1:5000");
  ASSERT_TRUE(one.TakeCall().ok());
  ASSERT_TRUE(one.TakeCall().ok());
  const absl::Status of_connection = one.TakeCall();
  EXPECT_EQ(of_connection.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(of_connection.message()),
              HasSubstr("calls in flight of each connection: found 2 and 1 more, expected at most "
                        "2"));
  CallBudget::Share second(budget, "ipv4:192.0.2.1:5001");
  ASSERT_TRUE(second.TakeCall().ok());
  EXPECT_THAT(std::string(second.TakeCall().message()), HasSubstr("each peer"));
  CallBudget::Share other(budget, "ipv4:192.0.2.2:5000");
  ASSERT_TRUE(other.TakeCall().ok());
  EXPECT_THAT(std::string(other.TakeCall().message()), HasSubstr("all peers together"));
  EXPECT_EQ(budget.InFlight().calls, 4);

  EXPECT_TRUE(one.TakeBytes(100).ok());
  EXPECT_THAT(std::string(one.TakeBytes(1).message()),
              HasSubstr("bytes in flight of each connection: found 100 and 1 more"));
  EXPECT_EQ(budget.InFlight().bytes, 100) << "what is refused is not counted";
}

TEST(CallBudget, AShareGivesBackWhatItTook) {
  CallBudget budget(CallBudget::Options::Of({8, 800}));
  for (int round = 0; round < 100; ++round) {
    CallBudget::Share share(budget, "ipv4:192.0.2.1:5000");
    ASSERT_TRUE(share.TakeCall().ok());
    ASSERT_TRUE(share.TakeBytes(200).ok());
  }
  EXPECT_EQ(budget.InFlight().calls, 0);
  EXPECT_EQ(budget.InFlight().bytes, 0);
}

TEST(CallBudget, AConnectionMayHaveAQuarterAndAPeerHalf) {
  CallBudget budget(CallBudget::Options::Of({8, 800}));
  CallBudget::Share share(budget, "ipv4:192.0.2.1:5000");
  EXPECT_TRUE(share.TakeCall().ok());
  EXPECT_TRUE(share.TakeCall().ok());
  EXPECT_FALSE(share.TakeCall().ok());
  EXPECT_FALSE(share.TakeBytes(201).ok());
  EXPECT_TRUE(share.TakeBytes(200).ok());
}

TEST(AddressOf, LeavesThePortOut) {
  EXPECT_EQ(AddressOf("ipv4:192.0.2.1:5000"), "192.0.2.1");
  EXPECT_EQ(AddressOf("ipv6:%5B::1%5D:5000"), "::1");
  EXPECT_EQ(AddressOf("ipv6:[2001:db8::7]:5000"), "2001:db8::7");
  EXPECT_EQ(AddressOf("unix:/run/edge"), "unix:/run/edge");
}

TEST(CallBudget, IdentitiesHaveSharesOfTheirOwnAtOneAddress) {
  CallBudget budget({{4, 400}, {1, 400}, {8, 800}});
  CallBudget::Share one(budget, "ipv4:192.0.2.1:5000", "one");
  CallBudget::Share again(budget, "ipv4:192.0.2.9:5000", "one");
  CallBudget::Share other(budget, "ipv4:192.0.2.1:5001", "other");
  CallBudget::Share nobody(budget, "ipv4:192.0.2.1:5002");
  EXPECT_TRUE(one.TakeCall().ok());
  EXPECT_TRUE(other.TakeCall().ok());
  EXPECT_TRUE(nobody.TakeCall().ok());
  // Wherever it comes from.
  EXPECT_EQ(again.TakeCall().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(GetRefusal(again.TakeCall()), Refusal::kBudget);
  EXPECT_EQ(one.address(), "192.0.2.1");
}

}  // namespace
}  // namespace cleave
