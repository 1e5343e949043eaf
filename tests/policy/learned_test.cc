#include "policy/learned.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/file.h"
#include "policy/features.h"
#include "policy/policy_files.h"
#include "policy/policy_spec.h"
#include "policy/random_cases.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using testing::CardFor;
using testing::Cases;
using testing::ConstantPolicy;
using testing::DrawnPolicy;
using ::testing::HasSubstr;
using testing::LinearPolicy;
using testing::ModelSketch;
using testing::PlansOf;
using testing::PlanWidth;
using testing::SketchFor;
using testing::StateWidth;

const std::string& Digest() {
  static const std::string& digest = *new std::string(64, 'd');
  return digest;
}

std::size_t IndexOf(std::span<const absl::string_view> names, absl::string_view name) {
  return std::find(names.begin(), names.end(), name) - names.begin();
}

// Weights of a linear policy that only looks at one feature of a plan.
std::vector<float> LooksAt(absl::string_view feature, float weight) {
  std::vector<float> weights(PlanFeatureNames().size(), 0);
  weights.at(IndexOf(PlanFeatureNames(), feature)) = weight;
  return weights;
}

class LearnedPolicyTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& bytes) const {
    std::string path = folder_ + "/p.onnx";
    EXPECT_TRUE(WriteFileAtomically(path, bytes).ok());
    return path;
  }

  std::unique_ptr<Policy> Load(const std::string& bytes, const Constraints& limits = {}) const {
    auto policy = LoadLearnedPolicy(Write(bytes), Digest(), limits);
    EXPECT_TRUE(policy.ok()) << policy.status();
    return policy.ok() ? *std::move(policy) : nullptr;
  }

  void ExpectRefused(const std::string& bytes, const std::string& text,
                     absl::StatusCode code = absl::StatusCode::kInvalidArgument) const {
    const auto policy = LoadLearnedPolicy(Write(bytes), Digest(), {});
    ASSERT_FALSE(policy.ok()) << text;
    EXPECT_EQ(policy.status().code(), code) << policy.status();
    EXPECT_THAT(std::string(policy.status().message()), HasSubstr("p.onnx"));
    EXPECT_THAT(std::string(policy.status().message()), HasSubstr(text));
  }

  // A table of one exit, its last plan on the device, and an observation with a deadline of
  // 100 ms: 0 takes 30 ms and is less accurate, 1 takes 60 ms, the device 200 ms.
  static PlanTable Table() {
    PlanTable table;
    table.best_accuracy = 0.9;
    for (int cut = 0; cut < 2; ++cut) {
      PlanCost cost;
      cost.plan = {0, cut, cut == 0 ? Encoding::kQ8 : Encoding::kFp32};
      cost.bytes_up = cut == 0 ? 20'000 : 50'000;
      cost.exact = cut == 1;
      cost.accuracy = cut == 0 ? 0.8 : 0.9;
      table.plans.push_back(cost);
    }
    PlanCost device;
    device.plan = {0, 2, Encoding::kFp32};
    device.head_us = 200'000;
    device.accuracy = 0.9;
    table.plans.push_back(device);
    return table;
  }

  static Observation Seen() {
    Observation seen;
    seen.link.rtt_us = {10'000, 1'000};
    seen.link.up_us_per_byte = {1, 0.1};
    seen.link.down_us_per_byte = {1, 0.1};
    seen.link.known = true;
    seen.deadline_us = 100'000;
    return seen;
  }

  PolicyCard Card() const { return CardFor(PlansOf(Table()), Digest()); }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
};

TEST_F(LearnedPolicyTest, TakesTheGreatestScore) {
  for (int best = 0; best < 2; ++best) {
    std::vector<float> scores = {0, 0, -5};
    scores[best] = 1;
    const auto policy = Load(ConstantPolicy(Card(), scores));
    const Decision decision = policy->Decide(Table(), Seen());
    EXPECT_EQ(decision.index, best);
    EXPECT_EQ(decision.reason, Reason::kLearned);
    EXPECT_DOUBLE_EQ(decision.predicted_us, best == 0 ? 30'000 : 60'000);
  }
}

TEST_F(LearnedPolicyTest, ScoresComeFromTheFeatures) {
  EXPECT_EQ(Load(LinearPolicy(Card(), LooksAt("time", -1)))->Decide(Table(), Seen()).index, 0);
  EXPECT_EQ(Load(LinearPolicy(Card(), LooksAt("accuracy", 1)))->Decide(Table(), Seen()).index, 1);
}

TEST_F(LearnedPolicyTest, CardsPlansMayStandInAnyOrder) {
  PolicyCard card = Card();
  std::reverse(card.plans.begin(), card.plans.end());
  EXPECT_EQ(Load(ConstantPolicy(card, {-5, 0, 1}))->Decide(Table(), Seen()).index, 0);
}

TEST_F(LearnedPolicyTest, NeverTakesWhatIsNotValid) {
  const std::string bytes = ConstantPolicy(Card(), {2, 1, 0});
  Constraints limits;
  limits.no_raw_input = true;
  EXPECT_EQ(Load(bytes, limits)->Decide(Table(), Seen()).index, 1);
  Constraints accurate;
  accurate.min_accuracy = 0.85;
  EXPECT_EQ(Load(bytes, accurate)->Decide(Table(), Seen()).index, 1);
  Observation seen = Seen();
  seen.edge_usable = false;
  const Decision decision = Load(bytes)->Decide(Table(), seen);
  EXPECT_EQ(decision.index, 2);
  EXPECT_EQ(decision.reason, Reason::kEdgeUnusable);
}

TEST_F(LearnedPolicyTest, IsGuardedAgainstAMissThatAnotherPlanAvoids) {
  const auto policy = Load(ConstantPolicy(Card(), {0, 1, 2}));
  const Decision guarded = policy->Decide(Table(), Seen());  // The device would take 200 ms.
  EXPECT_EQ(guarded.index, 1);
  EXPECT_EQ(guarded.reason, Reason::kGuarded);
  Observation seen = Seen();
  seen.deadline_us = 20'000;  // No plan meets it.
  const Decision missed = policy->Decide(Table(), seen);
  EXPECT_EQ(missed.index, 2);
  EXPECT_EQ(missed.reason, Reason::kLearned);
  seen.deadline_us.reset();
  EXPECT_EQ(policy->Decide(Table(), seen).reason, Reason::kLearned);
}

TEST_F(LearnedPolicyTest, LeavesWhatIsUnfamiliarToTheSearch) {
  PolicyCard card = Card();
  const std::size_t up_rate = IndexOf(StateFeatureNames(), "up_rate");
  card.state_low[up_rate] = std::log(0.5F);   // 5 to 20 Mbit/s; half the width more on each side,
  card.state_high[up_rate] = std::log(2.0F);  // which is less than the slack of e.
  const auto policy = Load(ConstantPolicy(card, {1, 0, -5}));
  Observation seen = Seen();
  const auto reason_at = [&](double up_bps) {
    seen.link.up_us_per_byte.mean = 8e6 / up_bps;
    return policy->Decide(Table(), seen).reason;
  };
  EXPECT_EQ(reason_at(10e6), Reason::kLearned);
  EXPECT_EQ(reason_at(50e6), Reason::kLearned);
  EXPECT_EQ(reason_at(60e6), Reason::kUnfamiliar);
  EXPECT_EQ(reason_at(2e6), Reason::kLearned);
  EXPECT_EQ(reason_at(1.5e6), Reason::kUnfamiliar);
  const Decision searched = MakeDynamicPolicy({})->Decide(Table(), seen);
  EXPECT_EQ(policy->Decide(Table(), seen).index, searched.index);
  EXPECT_EQ(policy->Decide(Table(), seen).feature, "up_rate");
}

TEST_F(LearnedPolicyTest, AWideRangeGoesFartherBeyondItself) {
  PolicyCard card = Card();
  const std::size_t up_rate = IndexOf(StateFeatureNames(), "up_rate");
  card.state_low[up_rate] = std::log(0.01F);
  card.state_high[up_rate] = std::log(1.0F);
  const auto policy = Load(ConstantPolicy(card, {1, 0, -5}));
  Observation seen = Seen();
  seen.link.up_us_per_byte.mean = 8e6 / 90e6;  // Half the width is a factor of 10.
  EXPECT_EQ(policy->Decide(Table(), seen).reason, Reason::kLearned);
  seen.link.up_us_per_byte.mean = 8e6 / 110e6;
  EXPECT_EQ(policy->Decide(Table(), seen).reason, Reason::kUnfamiliar);
}

TEST_F(LearnedPolicyTest, ScoresThatAreNoNumbersLeaveItToTheSearch) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
    const auto policy = Load(ConstantPolicy(Card(), {0, bad, 2}));
    const Decision decision = policy->Decide(Table(), Seen());
    EXPECT_EQ(decision.reason, Reason::kUnfamiliar);
    EXPECT_EQ(decision.index, 1);
  }
  Constraints limits;
  limits.no_raw_input = true;  // The plan with the bad score is not valid.
  const auto policy = Load(ConstantPolicy(Card(), {std::nanf(""), 1, 0}), limits);
  EXPECT_EQ(policy->Decide(Table(), Seen()).reason, Reason::kLearned);
}

TEST_F(LearnedPolicyTest, FollowsTablesThatChangeInPlace) {
  const auto policy = Load(ConstantPolicy(Card(), {2, 1, 0}));
  PlanTable table = Table();
  Observation seen = Seen();
  seen.deadline_us = 1e6;  // Every plan meets it, so that no guard steps in.
  EXPECT_EQ(policy->Decide(table, seen).index, 0);
  std::swap(table.plans[0], table.plans[1]);
  EXPECT_EQ(policy->Decide(table, seen).index, 1);
  table.plans.erase(table.plans.begin() + 1);  // Its favourite is gone.
  EXPECT_EQ(policy->Decide(table, seen).index, 0);
  table.plans[0].plan.cut = 7;  // Its second choice too, and the table has the same size.
  EXPECT_EQ(policy->Decide(table, seen).index, 1);
  table.plans[0].plan = Table().plans[0].plan;
  EXPECT_EQ(policy->Decide(table, seen).index, 0);
}

TEST_F(LearnedPolicyTest, ATableWithoutItsPlansOnTheDeviceIsUnfamiliar) {
  PolicyCard card = Card();
  card.plans.pop_back();
  const auto policy = Load(ConstantPolicy(card, {2, 1}));
  EXPECT_EQ(policy->Decide(Table(), Seen()).reason, Reason::kUnfamiliar);
}

TEST_F(LearnedPolicyTest, AgreesWithTheFeaturesOverRandomCases) {
  Cases cases(11);
  const PlanTable table = cases.Table(6);
  const PolicyCard card = CardFor(PlansOf(table), Digest());
  const auto policy = Load(LinearPolicy(card, LooksAt("miss_chance", -1)));
  const std::vector<std::optional<int>> rows = RowsOf(table, card.plans);
  Features features;
  for (int round = 0; round < 500; ++round) {
    const Observation seen = cases.Seen();
    const Decision decision = policy->Decide(table, seen);
    if (decision.reason != Reason::kLearned) continue;
    Featurize(table, rows, seen, {}, features);
    ASSERT_EQ(features.valid[decision.index], 1);
    const std::size_t at = IndexOf(PlanFeatureNames(), "miss_chance");
    const auto chance = [&](std::size_t i) { return features.plans[i * PlanWidth() + at]; };
    for (std::size_t i = 0; i < table.plans.size(); ++i) {
      if (features.valid[i] == 0) continue;
      ASSERT_LE(chance(decision.index), chance(i));
    }
  }
}

TEST_F(LearnedPolicyTest, AnyObservationGetsADecision) {
  Cases cases(12);
  const PlanTable table = cases.Table(4);
  const auto policy = Load(DrawnPolicy(CardFor(PlansOf(table), Digest()), 16, 1));
  for (int round = 0; round < 500; ++round) {
    const Decision decision = policy->Decide(table, cases.ExtremeSeen());
    ASSERT_GE(decision.index, 0);
    ASSERT_LT(decision.index, static_cast<int>(table.plans.size()));
  }
}

TEST_F(LearnedPolicyTest, ThreadsDecideAsOneDoes) {
  Cases cases(13);
  const PlanTable table = cases.Table(6);
  const auto policy = Load(DrawnPolicy(CardFor(PlansOf(table), Digest()), 16, 2));
  std::vector<Observation> seen;
  std::vector<int> expected;
  for (int i = 0; i < 50; ++i) {
    seen.push_back(cases.Seen());
    expected.push_back(policy->Decide(table, seen.back()).index);
  }

  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < seen.size(); ++i) {
        wrong += policy->Decide(table, seen[i]).index != expected[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(LearnedPolicyTest, AnotherModelsOrFeaturesPolicyIsRefused) {
  PolicyCard card = Card();
  card.model_digest = std::string(64, 'e');
  ExpectRefused(ConstantPolicy(card, {0, 0, 0}), "model_digest: found eeee",
                absl::StatusCode::kFailedPrecondition);
  card = Card();
  card.feature_version = kFeatureVersion + 1;
  ExpectRefused(ConstantPolicy(card, {0, 0, 0}), "features: found version",
                absl::StatusCode::kFailedPrecondition);
  const auto policy = LoadLearnedPolicy(Write(ConstantPolicy(Card(), {0, 0, 0})), "", {});
  EXPECT_EQ(policy.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LearnedPolicyTest, WhatIsNoPolicyIsRefused) {
  ExpectRefused("", "cleave.policy");
  ExpectRefused("not a model", "ONNX model");
  ExpectRefused(ModelSketch().Bytes(), "cleave.policy: found none");
  ModelSketch sketch;
  sketch.Metadata(kPolicyCardKey, "{}");
  ExpectRefused(sketch.Bytes(), "card.version");
  EXPECT_TRUE(absl::IsNotFound(LoadLearnedPolicy(folder_ + "/none.onnx", Digest(), {}).status()));
}

TEST_F(LearnedPolicyTest, RangesOfAnotherWidthAreRefused) {
  PolicyCard card = Card();
  card.state_low.pop_back();
  card.state_high.pop_back();
  ExpectRefused(ConstantPolicy(card, {0, 0, 0}), "state_low");
}

TEST_F(LearnedPolicyTest, InputsAndOutputsAreThoseOfTheCard) {
  PolicyCard more = Card();
  more.plans.push_back({0, 1, Encoding::kQ2});
  ModelSketch sketch;
  ASSERT_TRUE(sketch.model.ParseFromString(ConstantPolicy(more, {0, 0, 0, 0})));
  sketch.model.mutable_metadata_props(0)->set_value(Card().ToJson());
  ExpectRefused(sketch.Bytes(), "input 'plans': found shape");

  sketch = SketchFor(Card());
  sketch.Op("Identity", "score", {"valid"});
  sketch.Output("score", {1, 3});
  ExpectRefused(sketch.Bytes(), "output 'scores': found none");

  sketch = SketchFor(Card());
  sketch.Op("Identity", "scores", {"valid"});
  sketch.Output("scores", {3, 1});
  ExpectRefused(sketch.Bytes(), "output 'scores': found shape");

  sketch = SketchFor(Card());
  sketch.Input("more", {1, 3});
  sketch.Op("Identity", "scores", {"valid"});
  sketch.Output("scores", {1, 3});
  ExpectRefused(sketch.Bytes(), "inputs: found 4, expected 3");

  sketch = SketchFor(Card());
  sketch.model.mutable_graph()
      ->mutable_input(2)
      ->mutable_type()
      ->mutable_tensor_type()
      ->set_elem_type(onnx::TensorProto::DOUBLE);
  sketch.Op("Identity", "scores", {"valid"});
  sketch.Output("scores", {1, 3});
  ExpectRefused(sketch.Bytes(), "input 'valid': found type FP64");
}

TEST_F(LearnedPolicyTest, AModelThatDoesNotRunIsRefused) {
  ModelSketch sketch = SketchFor(Card());
  sketch.Op("MatMul", "scores", {"valid", sketch.Weights("w", {7, 3}, std::vector<float>(21))});
  sketch.Output("scores", {1, 3});
  ExpectRefused(sketch.Bytes(), "");
}

TEST_F(LearnedPolicyTest, CardIsReadWithoutTheModel) {
  PolicyCard card = Card();
  card.model_digest = std::string(64, 'e');
  card.feature_version = 99;
  const auto read = ReadPolicyCard(Write(ConstantPolicy(card, {0, 0, 0})));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->feature_version, 99);
  EXPECT_EQ(read->plans, card.plans);
}

TEST_F(LearnedPolicyTest, PlansAreCheckedAgainstATable) {
  EXPECT_TRUE(CheckPlans(Card(), Table(), "p.onnx").ok());
  PolicyCard card = Card();
  card.plans.pop_back();
  EXPECT_THAT(std::string(CheckPlans(card, Table(), "p.onnx").message()),
              HasSubstr("none that stays on the device"));
  card = Card();
  card.plans[1].encoding = Encoding::kQ4;
  const absl::Status status = CheckPlans(card, Table(), "p.onnx");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("exit 0, cut 1, q4"));
}

TEST_F(LearnedPolicyTest, IsMadeFromASpecification) {
  const std::string path = Write(ConstantPolicy(Card(), {1, 0, 0}));
  const auto policy = MakePolicy(path, {}, Digest());
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ((*policy)->name(), "learned");
  EXPECT_EQ(MakePolicy(path, {}).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(IsLearnedSpec(path));
  EXPECT_FALSE(IsLearnedSpec("dynamic"));
  EXPECT_TRUE(CheckPolicySpec("anywhere/p.onnx", {}).ok());
  EXPECT_FALSE(CheckPolicySpec("p.onn", {}).ok());
}

}  // namespace
}  // namespace cleave
