#include "learn/sacd.h"

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
using testing::MaskedBandit;
using testing::NeverTried;
using testing::QuickLearning;
using testing::ShapeOfProcess;
using testing::Teach;

SacdOptions Quick() {
  SacdOptions options;
  options.learning = QuickLearning();
  options.first_temperature = 0.05;
  options.temperature_rate = 1e-2;
  return options;
}

// An agent that has learned in one of the toys, and what it has seen.
template <typename Process>
struct Training {
  Training(const SacdOptions& options, int decisions, std::uint64_t seed = 1)
      : shape(ShapeOfProcess(process)),
        agent(MakeSacd(shape, options, seed)),
        seen(shape, static_cast<std::size_t>(options.learning.capacity)) {
    figures = Teach(*agent, process, seen, options.learning.warm_up, decisions);
  }

  Process process;
  const DecisionShape shape;
  const std::unique_ptr<Agent> agent;
  ReplayBuffer seen;
  LearnFigures figures;
};

TEST(SacdTest, SeesThatWhatPaysAtOnceIsNotBest) {
  SacdOptions options = Quick();
  options.learning.gamma = 0.9;
  options.last_entropy = 0.01;
  options.q_clip = 0;
  const Training<Chain2> training(options, 1'500);
  const auto first = Chain2::At(false);
  const auto second = Chain2::At(true);
  EXPECT_EQ(BestValid(training.agent->Scores(first), first), 1);
  EXPECT_EQ(BestValid(training.agent->Scores(second), second), 0);
  EXPECT_GT(training.agent->Values(first)[1], training.agent->Values(first)[0]);
}

TEST(SacdTest, LearnsOfPlansThatItNeverTookWhereTheProcessTells) {
  NeverTried process;
  const DecisionShape shape = ShapeOfProcess(process);
  const auto agent = MakeSacd(shape, Quick(), 1);
  EXPECT_NEAR(LearnedOfPlanTwo(*agent, shape, /*with_sides=*/true), 0.5, 0.1);
  EXPECT_EQ(BestValid(agent->Scores(NeverTried::Now3()), NeverTried::Now3()), 2);
  SacdOptions options = Quick();
  options.learning.side_weight = 0;
  options.side_share = 0;
  const auto deaf = MakeSacd(shape, options, 1);
  const auto untold = MakeSacd(shape, options, 1);
  EXPECT_EQ(LearnedOfPlanTwo(*deaf, shape, /*with_sides=*/true),
            LearnedOfPlanTwo(*untold, shape, /*with_sides=*/false));
}

// Critics that know nothing of plan 2, for they count no side rewards: the actor alone is told.
TEST(SacdTest, TheActorGoesByWhatEveryPlanWouldHaveEarned) {
  NeverTried process;
  const DecisionShape shape = ShapeOfProcess(process);
  SacdOptions options = Quick();
  options.learning.side_weight = 0;
  options.side_share = 1;
  const auto agent = MakeSacd(shape, options, 1);
  LearnedOfPlanTwo(*agent, shape, /*with_sides=*/true);
  EXPECT_GT(agent->Probabilities(NeverTried::Now3())[2], 0.8);
}

TEST(SacdTest, TheStateAfterACutOffHasAValue) {
  SacdOptions options = Quick();
  options.learning.gamma = 0.5;
  options.first_temperature = 1e-4;
  options.temperature_rate = 1e-6;
  const Training<CutShort> training(options, 1'000);
  (void)training;
  // Taken for an end, it would be 1.25 on average.
  for (const float value : training.agent->Values(training.process.Now()))
    EXPECT_NEAR(value, 2, 0.1);
}

TEST(SacdTest, APlanThatIsNotValidHasNoChanceAtAll) {
  Training<ForbiddenBest> training(Quick(), 600);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(training.process.Reset(static_cast<std::uint64_t>(i)).ok());
    const Features& now = training.process.Now();
    const std::vector<float> probabilities = training.agent->Probabilities(now);
    EXPECT_EQ(probabilities[2], 0.0F);
    EXPECT_NEAR(probabilities[0] + probabilities[1], 1, 1e-5);
    EXPECT_LT(training.agent->Scores(now)[2], -0.9F * kInvalidPenalty);
    if (std::abs(now.plans[0] - now.plans[1]) < 0.2) continue;
    EXPECT_EQ(BestValid(training.agent->Scores(now), now), now.plans[0] > now.plans[1] ? 0 : 1);
  }
  EXPECT_TRUE(std::isfinite(training.figures.actor_loss));
}

TEST(SacdTest, OneValidPlanIsNoFault) {
  Training<MaskedBandit> training(Quick(), 300);
  Features now = training.process.Now();
  now.valid = {0, 0, 1, 0};
  EXPECT_EQ(training.agent->Probabilities(now), (std::vector<float>{0, 0, 1, 0}));
}

TEST(SacdTest, ATargetThatNoPreferenceMeetsLetsTheTemperatureGrow) {
  SacdOptions small = Quick();
  SacdOptions large = Quick();
  large.first_entropy = 0.98;
  large.last_entropy = 0.98;
  const double bounded = Training<MaskedBandit>(small, 900).figures.temperature;
  const double grown = Training<MaskedBandit>(large, 900).figures.temperature;
  EXPECT_LT(bounded, 2 * small.first_temperature);
  EXPECT_GT(bounded, 0);
  EXPECT_GT(grown, 10 * small.first_temperature);
}

TEST(SacdTest, TheTargetEntropyIsOfTheValidPlans) {
  // Of four plans one is valid: the entropy is 0 and so is what it should be, and the temperature
  // stays. With the logarithm of all four it would have to grow.
  class OneValid : public testing::ToyProcess {
   public:
    OneValid() : ToyProcess(4, 8) {}

   protected:
    void Begin() override { now_ = {{1}, {0, 1, 2, 3}, {0, 1, 0, 0}}; }
    void Advance(int /*action*/) override {}
    double RewardOf(std::size_t /*action*/) const override { return 1; }
  };
  SacdOptions options = Quick();
  options.first_entropy = 0.9;
  options.last_entropy = 0.9;
  const double temperature = Training<OneValid>(options, 400).figures.temperature;
  EXPECT_NEAR(temperature, options.first_temperature, 1e-6);
}

TEST(SacdTest, QClipKeepsACriticNearItsTarget) {
  SacdOptions options = Quick();
  options.learning.tau = 1e-6;  // The targets stand still, near 0.
  options.learning.gamma = 0;
  options.q_clip = 0.1;
  const Training<CutShort> clipped(options, 700);
  options.q_clip = 0;
  const Training<CutShort> free(options, 700);
  const Features& now = free.process.Now();
  EXPECT_NEAR(free.agent->Values(now)[0], 1, 0.05);
  EXPECT_LT(clipped.agent->Values(now)[0], 0.6);
}

TEST(SacdTest, TheSmallerCriticUnderestimates) {
  SacdOptions options = Quick();
  options.q_clip = 0;
  options.critics = SacdOptions::Critics::kMean;
  const Training<MaskedBandit> mean(options, 600);
  options.critics = SacdOptions::Critics::kMin;
  const Training<MaskedBandit> least(options, 600);
  double of_mean = 0;
  double of_least = 0;
  MaskedBandit process;
  for (std::uint64_t i = 0; i < 50; ++i) {
    ASSERT_TRUE(process.Reset(i).ok());
    const Features& now = process.Now();
    const std::vector<float> values_of_mean = mean.agent->Values(now);
    const std::vector<float> values_of_least = least.agent->Values(now);
    of_mean += values_of_mean[static_cast<std::size_t>(BestValid(values_of_mean, now))];
    of_least += values_of_least[static_cast<std::size_t>(BestValid(values_of_least, now))];
  }
  EXPECT_LT(of_least, of_mean);
}

TEST(SacdTest, TheEntropyPenaltyHoldsThePolicyBack) {
  SacdOptions options = Quick();
  options.first_temperature = 1e-3;
  options.temperature_rate = 1e-6;
  options.entropy_penalty = 0;
  const double free = Training<MaskedBandit>(options, 400).figures.entropy;
  options.entropy_penalty = 20;
  const double held = Training<MaskedBandit>(options, 400).figures.entropy;
  EXPECT_GT(held, free + 0.1);
}

TEST(SacdTest, StateComesBackBitForBit) {
  const SacdOptions options = Quick();
  Training<MaskedBandit> training(options, 300);
  const auto state = training.agent->State();
  ASSERT_TRUE(state.ok()) << state.status();
  const auto other = MakeSacd(training.shape, options, 2);
  ASSERT_TRUE(other->Restore(*state, "c").ok());
  std::mt19937_64 random(3);
  std::mt19937_64 same(3);
  for (int i = 0; i < 5; ++i) {
    training.agent->Learn(training.seen, random, 0.5);
    other->Learn(training.seen, same, 0.5);
  }
  const Features& now = training.process.Now();
  EXPECT_EQ(training.agent->Scores(now), other->Scores(now));
  EXPECT_EQ(training.agent->Values(now), other->Values(now));
}

TEST(SacdTest, AStateThatDoesNotFitIsRefused) {
  const SacdOptions options = Quick();
  const auto agent = MakeSacd({3, 4, 2}, options, 1);
  auto state = *agent->State();
  state["actor"] = *Tensor::FromFloats({2}, {0, 0});
  const absl::Status wrong = agent->Restore(state, "c.checkpoint");
  EXPECT_THAT(std::string(wrong.message()), HasSubstr("c.checkpoint: tensor 'actor': found 2"));
  state.erase("actor");
  EXPECT_THAT(std::string(agent->Restore(state, "c").message()), HasSubstr("found none"));
  state = *agent->State();
  state["log_temperature"] = *Tensor::FromFloats({1}, {NAN});
  EXPECT_THAT(std::string(agent->Restore(state, "c").message()), HasSubstr("not finite"));
}

TEST(SacdTest, OptionsAreChecked) {
  EXPECT_TRUE(SacdOptions().Validate().ok());
  const auto fault = [](auto change) {
    SacdOptions options;
    change(options);
    return std::string(options.Validate().message());
  };
  EXPECT_THAT(fault([](SacdOptions& o) { o.learning.gamma = 1; }), HasSubstr("gamma: found 1"));
  EXPECT_THAT(fault([](SacdOptions& o) { o.learning.batch = 0; }), HasSubstr("batch: found 0"));
  EXPECT_THAT(fault([](SacdOptions& o) { o.q_clip = -1; }), HasSubstr("q_clip: found -1"));
  EXPECT_THAT(fault([](SacdOptions& o) { o.last_entropy = NAN; }), HasSubstr("last_entropy"));
  EXPECT_THAT(fault([](SacdOptions& o) { o.learning.capacity = 3; }), HasSubstr("capacity"));
}

}  // namespace
}  // namespace cleave
