#include "app/learning_curves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace cleave::app {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(LearningCurvesTest, EachSeedHasItsNameAndItsColour) {
  std::vector<LearningCurve> curves;
  for (int seed = 1; seed <= 2; ++seed) {
    curves.push_back({absl::StrCat("seed ", seed), {{1000, 0.1 * seed}, {2000, 0.2 * seed}}});
  }
  EXPECT_THAT(RenderLearningCurves("sacd in lte.toml", curves),
              AllOf(HasSubstr("<svg"), HasSubstr("sacd in lte.toml"), HasSubstr("decisions"),
                    HasSubstr("random 0, oracle 1"), HasSubstr("seed 1"), HasSubstr("seed 2"),
                    HasSubstr("#1f77b4"), HasSubstr("#d62728"), Not(HasSubstr("#2ca02c"))));
}

TEST(LearningCurvesTest, ColoursBeginAnewAfterTheFifth) {
  const std::vector<LearningCurve> curves(6, LearningCurve{"seed", {{1, 0}, {2, 1}}});
  EXPECT_THAT(RenderLearningCurves("t", curves), HasSubstr("#ff7f0e"));
}

}  // namespace
}  // namespace cleave::app
