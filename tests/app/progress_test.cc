#include "app/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace cleave::app {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(ProgressTest, SaysEveryFewSecondsHowMuchTimeIsLeftWhereThereIsNoTerminal) {
  std::ostringstream out;
  FakeClock clock;
  Progress progress(out, Progress::Style::kLines, clock);
  for (int second = 0; second <= 20; ++second) {
    progress.Report("verifying", second / 100.0);
    clock.AdvanceUs(1'000'000);
  }
  EXPECT_EQ(out.str(),
            "verifying: 5%, 2 min left\n"
            "verifying: 10%, 2 min left\n"
            "verifying: 15%, 85 s left\n"
            "verifying: 20%, 80 s left\n");
}

TEST(ProgressTest, SaysNothingOfShortWorkWhereThereIsNoTerminal) {
  std::ostringstream out;
  FakeClock clock;
  Progress progress(out, Progress::Style::kLines, clock);
  progress.Report("verifying", 0);
  clock.AdvanceUs(Progress::kLineEveryUs - 1);
  progress.Report("verifying", 1);
  progress.End();
  EXPECT_EQ(out.str(), "");
}

TEST(ProgressTest, DrawsABarWithTheTimeLeftAndErasesIt) {
  std::ostringstream out;
  FakeClock clock;
  Progress progress(out, Progress::Style::kBar, clock);
  progress.Report("verifying", 0);
  EXPECT_THAT(out.str(), HasSubstr("[..............................] verifying"));
  EXPECT_THAT(out.str(), Not(HasSubstr("left")));
  clock.AdvanceUs(3'600'000'000);
  progress.Report("verifying", 0.5);
  EXPECT_THAT(out.str(), EndsWith("[###############...............] verifying, 60 min left"));
  progress.End();
  EXPECT_THAT(out.str(), EndsWith("\r\x1b[K"));
}

TEST(DurationTextTest, IsRoundedToTheUnitThatFits) {
  EXPECT_EQ(DurationText(0), "0 s");
  EXPECT_EQ(DurationText(11.2), "12 s");
  EXPECT_EQ(DurationText(90), "2 min");
  EXPECT_EQ(DurationText(20'000), "5.6 h");
}

TEST(ProgressTest, ReckonsAnewWhenAnotherPieceOfWorkBegins) {
  std::ostringstream out;
  FakeClock clock;
  Progress progress(out, Progress::Style::kLines, clock);
  progress.Report("exit 0", 0);
  clock.AdvanceUs(100'000'000);
  progress.Report("exit 0", 1);
  progress.Report("exit 1", 0);
  clock.AdvanceUs(10'000'000);
  progress.Report("exit 1", 0.5);
  EXPECT_THAT(out.str(), EndsWith("exit 1: 50%, 10 s left\n"));
}

}  // namespace
}  // namespace cleave::app
