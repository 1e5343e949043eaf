#include "emulate/busy_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <chrono>
#include <limits>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "emulate/process.h"

namespace cleave::emulate {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kPatienceUs = 20'000'000;

cpu_set_t Cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  EXPECT_EQ(sched_getaffinity(0, sizeof(cores), &cores), 0);
  return cores;
}

int FirstCore() {
  const cpu_set_t cores = Cores();
  int core = 0;
  while (!CPU_ISSET(static_cast<unsigned>(core), &cores)) ++core;
  return core;
}

// Works on the core for a second and a half each time that it is told to, and says how much of it
// it had.
std::unique_ptr<Process> StartWorkingOn(int core) {
  auto process =
      Process::Start({.argv = {"taskset", "--cpu-list", absl::StrCat(core), "python3", "-uc",
                               "import sys,time\n"
                               "print('ready')\n"
                               "for line in sys.stdin:\n"
                               "  end=time.monotonic()+1.5\n"
                               "  begun=time.process_time()\n"
                               "  while time.monotonic()<end: pass\n"
                               "  print('used',int((time.process_time()-begun)*1000))"}});
  EXPECT_TRUE(process.ok()) << process.status();
  EXPECT_TRUE((*process)->WaitForLine("ready", kPatienceUs).ok());
  return *std::move(process);
}

int WorkMs(Process& process) {
  EXPECT_TRUE(process.WriteLine("go").ok());
  const std::string line = process.WaitForLine("used", kPatienceUs).value_or("used -1");
  int used_ms = -1;
  EXPECT_TRUE(absl::SimpleAtoi(line.substr(5), &used_ms)) << line;
  return used_ms;
}

class BusyCoreTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto made = BusyCore::Create(core_);
    if (absl::IsPermissionDenied(made.status()) || absl::IsFailedPrecondition(made.status())) {
      GTEST_SKIP() << made.status();
    }
    ASSERT_TRUE(made.ok()) << made.status();
    busy_ = *std::move(made);
  }

  const int core_ = FirstCore();
  std::unique_ptr<BusyCore> busy_;
};

TEST_F(BusyCoreTest, LeavesItsShareToWhatIsPinnedThereWhileItIsAskedTo) {
  const auto process = StartWorkingOn(core_);
  ASSERT_TRUE(busy_->SetShare(0.2).ok());
  busy_->Begin();
  const int used_ms = WorkMs(*process);
  busy_->End();
  EXPECT_GT(used_ms, 0);
  EXPECT_LT(used_ms, 750) << "a fifth of 1500 ms, and room for noise";
}

TEST_F(BusyCoreTest, AWholeCoreIsLeftAlone) {
  ASSERT_TRUE(busy_->SetShare(2).ok());
  busy_->Begin();
  const auto process = StartWorkingOn(core_);
  EXPECT_GT(WorkMs(*process), 0);
  busy_->End();
}

TEST_F(BusyCoreTest, EndsAtOnceHoweverLittleItLeaves) {
  ASSERT_TRUE(busy_->SetShare(0.01).ok());
  for (int i = 0; i < 100; ++i) {
    busy_->Begin();
    std::this_thread::sleep_for(std::chrono::microseconds(37 * i));
    busy_->End();
  }
  const auto process = StartWorkingOn(core_);
  EXPECT_GT(WorkMs(*process), 0);
}

TEST_F(BusyCoreTest, AChangeOfTheShareHoldsInTheMidst) {
  ASSERT_TRUE(busy_->SetShare(0.05).ok());
  busy_->Begin();
  const auto process = StartWorkingOn(core_);
  const int before_ms = WorkMs(*process);
  ASSERT_TRUE(busy_->SetShare(0.6).ok());
  EXPECT_GT(WorkMs(*process), 2 * before_ms);
}

TEST_F(BusyCoreTest, ItsMakerKeepsOffTheCoreUntilItIsGone) {
  const cpu_set_t during = Cores();
  EXPECT_FALSE(CPU_ISSET(static_cast<unsigned>(core_), &during));
  busy_.reset();
  EXPECT_EQ(FirstCore(), core_);
}

TEST_F(BusyCoreTest, SharesThatCannotBeAreRefused) {
  for (const double share : {0.0, -1.0, 0.001, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THAT(std::string(busy_->SetShare(share).message()), HasSubstr("CPU share: found"));
  }
}

TEST(BusyCore, WithoutAnotherCoreThereIsNone) {
  const cpu_set_t before = Cores();
  const int core = FirstCore();
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(static_cast<unsigned>(core), &only);
  ASSERT_EQ(sched_setaffinity(0, sizeof(only), &only), 0);
  const auto made = BusyCore::Create(core);
  ASSERT_EQ(sched_setaffinity(0, sizeof(before), &before), 0);
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("there is no other to run on"));
}

}  // namespace
}  // namespace cleave::emulate
