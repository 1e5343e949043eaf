#include "learn/dqn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>

#include "learn/toy_environments.h"

namespace cleave {
namespace {

using testing::Chain2;
using testing::CutShort;
using testing::ForbiddenBest;
using ::testing::HasSubstr;
using testing::LearnedOfPlanTwo;
using testing::NeverTried;
using testing::QuickLearning;
using testing::ShapeOfProcess;
using testing::Teach;

DqnOptions Quick() {
  DqnOptions options;
  options.learning = QuickLearning();
  return options;
}

template <typename Process>
std::unique_ptr<Agent> Taught(Process& process, const DqnOptions& options, int decisions) {
  const DecisionShape shape = ShapeOfProcess(process);
  auto agent = MakeDqn(shape, options, 1);
  ReplayBuffer seen(shape, static_cast<std::size_t>(options.learning.capacity));
  Teach(*agent, process, seen, options.learning.warm_up, decisions);
  return agent;
}

TEST(DqnTest, SeesThatWhatPaysAtOnceIsNotBest) {
  DqnOptions options = Quick();
  options.learning.gamma = 0.9;
  options.last_epsilon = 0.3;
  Chain2 process;
  const auto agent = Taught(process, options, 1'500);
  const Features first = Chain2::At(false);
  const Features second = Chain2::At(true);
  EXPECT_EQ(BestValid(agent->Scores(first), first), 1);
  EXPECT_EQ(BestValid(agent->Scores(second), second), 0);
}

TEST(DqnTest, LearnsOfPlansThatItNeverTookWhereTheProcessTells) {
  NeverTried process;
  const DecisionShape shape = ShapeOfProcess(process);
  const auto agent = MakeDqn(shape, Quick(), 1);
  EXPECT_NEAR(LearnedOfPlanTwo(*agent, shape, /*with_sides=*/true), 0.5, 0.1);
  DqnOptions options = Quick();
  options.learning.side_weight = 0;
  const auto deaf = MakeDqn(shape, options, 1);
  const auto untold = MakeDqn(shape, options, 1);
  EXPECT_EQ(LearnedOfPlanTwo(*deaf, shape, /*with_sides=*/true),
            LearnedOfPlanTwo(*untold, shape, /*with_sides=*/false));
}

TEST(DqnTest, TheStateAfterACutOffHasAValue) {
  DqnOptions options = Quick();
  options.learning.gamma = 0.5;
  CutShort process;
  const auto agent = Taught(process, options, 1'000);
  for (const float value : agent->Values(process.Now())) EXPECT_NEAR(value, 2, 0.1);
}

TEST(DqnTest, APlanThatIsNotValidHasNoChanceAtAll) {
  ForbiddenBest process;
  const auto agent = Taught(process, Quick(), 800);
  for (std::uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(process.Reset(i).ok());
    const Features& now = process.Now();
    const std::vector<float> probabilities = agent->Probabilities(now);
    EXPECT_EQ(probabilities[2], 0.0F);
    EXPECT_NEAR(probabilities[0] + probabilities[1], 1, 1e-5);
    if (std::abs(now.plans[0] - now.plans[1]) < 0.2) continue;
    EXPECT_EQ(BestValid(agent->Scores(now), now), now.plans[0] > now.plans[1] ? 0 : 1);
  }
}

TEST(DqnTest, OptionsAreChecked) {
  EXPECT_TRUE(DqnOptions().Validate().ok());
  DqnOptions options;
  options.first_epsilon = 2;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("first_epsilon: found 2"));
}

}  // namespace
}  // namespace cleave
