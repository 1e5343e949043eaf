#include "learn/replay.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "learn/agent.h"
#include "learn/normalizer.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const DecisionShape kShape{1, 2, 1};

Features At(float value) { return {{value}, {value, -value}, {1, 1}}; }

TEST(ReplayTest, ATransitionIsAStateAndTheOneAfterIt) {
  ReplayBuffer seen(kShape, 8);
  seen.Add(At(1), 0, 10, 0.5);
  EXPECT_EQ(seen.transitions(), 0U);  // What followed is not known yet.
  seen.Add(At(2), 1, 20, 0.5);
  seen.AddLast(At(3));
  seen.Add(At(100), 0, 1000, 0.5);  // Another episode; nothing leads from 3 to it.
  seen.AddLast(At(101));
  EXPECT_EQ(seen.transitions(), 3U);
  std::mt19937_64 random(1);
  ReplayBatch batch;
  seen.Sample(200, random, batch);
  std::set<float> begins;
  for (std::size_t i = 0; i < batch.size; ++i) {
    begins.insert(batch.now.state[i]);
    EXPECT_EQ(batch.next.state[i], batch.now.state[i] + 1);
    EXPECT_EQ(batch.reward[i], 10 * batch.now.state[i]);
    EXPECT_EQ(batch.next.plans[2 * i + 1], -batch.next.state[i]);
  }
  EXPECT_THAT(begins, ElementsAre(1, 2, 100));
}

TEST(ReplayTest, HoldsWhatOtherPlansWouldHaveBeenPaidWhereThatIsKnown) {
  ReplayBuffer seen(kShape, 4);
  seen.Add(At(1), 0, 10, 0, {10, 7});
  seen.Add(At(2), 1, 20, 0);
  seen.AddLast(At(3));
  ReplayBuffer other(kShape, 4);
  ASSERT_TRUE(other.Restore(*seen.State(), "c").ok());
  std::mt19937_64 random(1);
  ReplayBatch batch;
  other.Sample(50, random, batch);
  ASSERT_EQ(batch.side.size(), 100U);
  for (std::size_t i = 0; i < batch.size; ++i) {
    if (batch.now.state[i] == 1) {
      EXPECT_EQ(batch.side[2 * i], 10);
      EXPECT_EQ(batch.side[2 * i + 1], 7);
    } else {
      EXPECT_TRUE(std::isnan(batch.side[2 * i]) && std::isnan(batch.side[2 * i + 1]));
    }
  }
}

TEST(ReplayTest, TheOldestIsForgotten) {
  ReplayBuffer seen(kShape, 4);
  for (int i = 0; i < 11; ++i) seen.Add(At(static_cast<float>(i)), 0, i, 0);
  EXPECT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen.transitions(), 3U);
  std::mt19937_64 random(1);
  ReplayBatch batch;
  seen.Sample(100, random, batch);
  for (std::size_t i = 0; i < batch.size; ++i) {
    EXPECT_GE(batch.now.state[i], 7);
    EXPECT_EQ(batch.next.state[i], batch.now.state[i] + 1);
  }
}

TEST(ReplayTest, ComesBackBitForBit) {
  ReplayBuffer seen(kShape, 4);
  for (int i = 0; i < 6; ++i) seen.Add(At(0.1F * static_cast<float>(i)), i % 2, 0.3 * i, 0.2);
  seen.AddLast(At(9));
  ReplayBuffer other(kShape, 4);
  ASSERT_TRUE(other.Restore(*seen.State(), "c").ok());
  std::mt19937_64 random(1);
  std::mt19937_64 same(1);
  ReplayBatch a;
  ReplayBatch b;
  seen.Sample(50, random, a);
  other.Sample(50, same, b);
  EXPECT_EQ(a.now.state, b.now.state);
  EXPECT_EQ(a.next.plans, b.next.plans);
  EXPECT_EQ(a.action, b.action);
  EXPECT_EQ(a.reward, b.reward);
}

TEST(ReplayTest, AForgedStateIsRefused) {
  ReplayBuffer seen(kShape, 4);
  seen.Add(At(1), 0, 1, 0);
  seen.AddLast(At(2));
  const auto fault = [&](const std::string& name, const Tensor& tensor) {
    auto state = *seen.State();
    state[name] = tensor;
    ReplayBuffer other(kShape, 4);
    const absl::Status status = other.Restore(state, "c");
    EXPECT_EQ(other.size(), 0U);
    return std::string(status.message());
  };
  EXPECT_THAT(fault("replay.states", *Tensor::FromFloats({1, 1}, {1})), HasSubstr("found 1x1"));
  EXPECT_THAT(fault("replay.actions", *Tensor::FromFloats({2, 1}, {7, -1})), HasSubstr("found 7"));
  EXPECT_THAT(fault("replay.actions", *Tensor::FromFloats({2, 1}, {0.5, -1})), HasSubstr("whole"));
  EXPECT_THAT(fault("replay.newest", *Tensor::FromFloats({1}, {5})), HasSubstr("newest"));
  EXPECT_THAT(fault("replay.rewards", *Tensor::FromFloats({2, 1}, {NAN, 0})), HasSubstr("finite"));
  EXPECT_THAT(fault("replay.sides", *Tensor::FromFloats({2, 2}, {INFINITY, 0, 0, 0})),
              HasSubstr("replay.sides"));
  EXPECT_THAT(fault("replay.valid", *Tensor::FromFloats({2, 2}, {0, 0, 1, 1})),
              HasSubstr("no plan"));
  EXPECT_THAT(fault("replay.actions", *Tensor::FromFloats({5, 1}, {0, 0, 0, 0, 0})),
              HasSubstr("expected at most 4"));
}

TEST(ReplayTest, FeaturesAreChecked) {
  EXPECT_TRUE(ShapeOf(At(1), 2).ok());
  EXPECT_FALSE(ShapeOf(At(1), 0).ok());
  EXPECT_FALSE(ShapeOf({{1}, {1, 2, 3}, {1, 1}}, 2).ok());
  EXPECT_FALSE(ShapeOf({{NAN}, {1, 2}, {1, 1}}, 2).ok());
  EXPECT_FALSE(ShapeOf({{1}, {1, 2}, {0, 0}}, 2).ok());
  EXPECT_FALSE(ShapeOf({{1}, {1, 2}, {0, 0.5}}, 2).ok());
}

TEST(NormalizerTest, IsByWhatWasSeenOfThePlansThatWereValid) {
  ReplayBuffer seen(kShape, 8);
  seen.Add({{2}, {1, 100}, {1, 0}}, 0, 0, 0);
  seen.Add({{4}, {3, 100}, {1, 0}}, 0, 0, 0);
  const Normalization normalization = Normalization::Of(seen);
  EXPECT_THAT(normalization.state_mean, ElementsAre(3));
  EXPECT_THAT(normalization.state_scale, ElementsAre(1));
  EXPECT_THAT(normalization.plan_mean, ElementsAre(2));
  EXPECT_THAT(normalization.plan_scale, ElementsAre(1));
}

TEST(NormalizerTest, AFeatureThatStandsStillIsOnlyCentred) {
  ReplayBuffer seen(kShape, 8);
  seen.Add(At(2), 0, 0, 0);
  seen.Add(At(2), 0, 0, 0);
  EXPECT_THAT(Normalization::Of(seen).state_scale, ElementsAre(1));
}

TEST(NormalizerTest, QuantilesAreOfTheStates) {
  ReplayBuffer seen(kShape, 200);
  for (int i = 0; i <= 100; ++i) seen.Add(At(static_cast<float>((i * 37) % 101)), 0, 0, 0);
  EXPECT_THAT(StateQuantile(seen, 0.01), ElementsAre(1));
  EXPECT_THAT(StateQuantile(seen, 0.99), ElementsAre(99));
}

TEST(AgentTest, DrawsByChanceAndNeverWhatHasNone) {
  std::mt19937_64 random(1);
  std::vector<int> drawn(4);
  for (int i = 0; i < 4'000; ++i) {
    ++drawn[static_cast<std::size_t>(DrawPlan({0, 0.25F, 0.75F, 0}, random))];
  }
  EXPECT_EQ(drawn[0], 0);
  EXPECT_EQ(drawn[3], 0);
  EXPECT_NEAR(drawn[1], 1'000, 120);
  EXPECT_NEAR(EntropyOf({0, 0.5F, 0.5F}), std::log(2.0), 1e-6);
  EXPECT_EQ(EntropyOf({0, 1}), 0);
}

}  // namespace
}  // namespace cleave
