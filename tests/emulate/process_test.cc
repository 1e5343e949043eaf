#include "emulate/process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace cleave::emulate {
namespace {

constexpr std::int64_t kPatienceUs = 20'000'000;

TEST(Process, GivesLinesAndTheExitStatus) {
  const auto process = Process::Start({.argv = {"/bin/sh", "-c", "echo one; echo two; exit 3"}});
  ASSERT_TRUE(process.ok()) << process.status();
  EXPECT_EQ((*process)->ReadLine(kPatienceUs).value_or(""), "one");
  EXPECT_EQ((*process)->WaitForLine("tw", kPatienceUs).value_or(""), "two");
  EXPECT_EQ((*process)->ReadLine(kPatienceUs).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ((*process)->Wait(kPatienceUs).value_or(-1), 3);
}

TEST(Process, TakesLinesAndAnEnvironment) {
  const auto process =
      Process::Start({.argv = {"/bin/sh", "-c", "read line; echo \"$line $CLEAVE_WORD\""},
                      .environment = {{"CLEAVE_WORD", "world"}}});
  ASSERT_TRUE(process.ok());
  ASSERT_TRUE((*process)->WriteLine("hello").ok());
  EXPECT_EQ((*process)->ReadLine(kPatienceUs).value_or(""), "hello world");
}

TEST(Process, SaysWhichSignalEndedIt) {
  const auto process = Process::Start({.argv = {"sleep", "60"}});
  ASSERT_TRUE(process.ok());
  EXPECT_TRUE((*process)->running());
  EXPECT_EQ((*process)->Wait(1'000).status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ((*process)->ReadLine(1'000).status().code(), absl::StatusCode::kDeadlineExceeded);
  (*process)->Signal(SIGTERM);
  EXPECT_EQ((*process)->Wait(kPatienceUs).value_or(-1), 128 + SIGTERM);
}

TEST(Process, ToldOfAChildThatHasGone) {
  const auto process = Process::Start({.argv = {"true"}});
  ASSERT_TRUE(process.ok());
  ASSERT_EQ((*process)->Wait(kPatienceUs).value_or(-1), 0);
  EXPECT_EQ((*process)->WriteLine("anyone?").code(), absl::StatusCode::kUnavailable);
}

TEST(Process, NamesAProgramThatIsNotThere) {
#ifdef CLEAVE_EMULATED
  GTEST_SKIP() << "QEMU does not report a failed exec to the parent";
#endif
  const auto process = Process::Start({.argv = {"cleave-no-such-program"}});
  ASSERT_FALSE(process.ok());
  EXPECT_THAT(std::string(process.status().message()),
              ::testing::HasSubstr("cleave-no-such-program"));
  EXPECT_FALSE(Process::Start({}).ok());
}

TEST(RunCommand, QuotesWhatTheCommandSaid) {
  EXPECT_TRUE(RunCommand({"true"}).ok());
  const absl::Status failed = RunCommand({"/bin/sh", "-c", "echo broken >&2; exit 7"});
  EXPECT_THAT(std::string(failed.message()),
              ::testing::AllOf(::testing::HasSubstr("7"), ::testing::HasSubstr("broken")));
}

}  // namespace
}  // namespace cleave::emulate
