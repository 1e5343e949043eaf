#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "device/elastic_fixture.h"
#include "device/eventually.h"

namespace cleave {
namespace {

using testing::ElasticDeviceTest;
using testing::Eventually;
using testing::FakeEdgeScript;
using ::testing::HasSubstr;
using testing::kLastExit;
using testing::Logits;
using testing::Picture;
using ::testing::StartsWith;
using testing::WorstDifference;
using Mode = FakeEdgeScript::Infer;

constexpr std::int64_t kAmpleUs = 5'000'000;

// An edge that announces a long wait, so that no plan that needs it is sure to be in time.
class HedgeDeviceTest : public ElasticDeviceTest {
 protected:
  HedgeDeviceTest() { script_.wait_us = 3'000'000; }

  static DeviceOptions Hedged(const std::string& policy, std::int64_t deadline_us) {
    DeviceOptions options;
    options.plans.policy = policy;
    options.deadline.deadline_us = deadline_us;
    options.deadline.max_miss = 0;
    return options;
  }

  std::unique_ptr<Device> OpenCalibrated(const std::string& policy, std::int64_t deadline_us) {
    Calibrate();
    auto device = Open(Hedged(policy, deadline_us));
    EXPECT_TRUE(device->edge_usable());
    return device;
  }

  // The logits of an exit that is run on the device.
  std::vector<float> Expected(int exit, int seed) {
    auto device = Open({.plans = {.policy = "device", .exit = exit}});
    return Logits(*device->Infer(Inputs(seed)));
  }

  static double EdgeTailUs(Device& device) {
    double longest_us = 0;
    const std::vector<PlanForecast> rows = device.Explain(1).value();
    for (const PlanForecast& row : rows) {
      if (row.bytes_up > 0) longest_us = std::max(longest_us, row.tail_us);
    }
    return longest_us;
  }

  static void ExpectHedgeWon(const InferenceRecord& record) {
    ASSERT_TRUE(record.hedge.has_value());
    EXPECT_TRUE(record.hedge->won);
    EXPECT_TRUE(record.hedge->finished_us.has_value());
    EXPECT_EQ(record.plan, record.hedge->plan);
    EXPECT_LT(record.plan.exit, record.decided.exit);
    EXPECT_EQ(record.where, Where::kDevice);
    EXPECT_TRUE(record.fallback.has_value());
    EXPECT_NEAR(record.accuracy.value_or(0), 0.9 - 0.02 * (kLastExit - record.plan.exit), 1e-9);
  }
};

TEST_F(HedgeDeviceTest, AnAnswerInTimeWins) {
  const auto device = OpenCalibrated("fixed:0", kAmpleUs);
  const InferenceRecord record = *device->Infer(Inputs(3));
  ASSERT_TRUE(record.hedge.has_value());
  EXPECT_FALSE(record.hedge->won);
  EXPECT_EQ(record.hedge->plan.exit, kLastExit - 1) << "the most accurate that is in time";
  EXPECT_EQ(record.where, Where::kEdge);
  EXPECT_EQ(record.plan, record.decided);
  EXPECT_EQ(record.accuracy, 0.9);
  EXPECT_EQ(record.fallback, std::nullopt);
  EXPECT_LT(WorstDifference(Logits(record), Expected(kLastExit, 3)), 1e-4);
}

TEST_F(HedgeDeviceTest, TheWaitLastsBeyondTheHedgesEnd) {
  const auto device = OpenCalibrated("fixed:0", kAmpleUs);
  script_.Set(&FakeEdgeScript::infer, Mode::kSlow);
  script_.Set(&FakeEdgeScript::slow_us, 300'000);
  const InferenceRecord record = *device->Infer(Inputs(3));
  ASSERT_TRUE(record.hedge.has_value());
  EXPECT_FALSE(record.hedge->won);
  EXPECT_TRUE(record.hedge->finished_us.has_value());
  EXPECT_EQ(record.where, Where::kEdge);
}

TEST_F(HedgeDeviceTest, ALateAnswerLosesAndIsLearnedFrom) {
  const auto device = OpenCalibrated("fixed:0", 100'000);
  script_.Set(&FakeEdgeScript::infer, Mode::kSlow);
  script_.Set(&FakeEdgeScript::slow_us, 250'000);
  script_.Set<std::int64_t>(&FakeEdgeScript::tail_us, 1'000'000);
  const double before_us = EdgeTailUs(*device);
  const InferenceRecord record = *device->Infer(Inputs(3));
  ExpectHedgeWon(record);
  EXPECT_THAT(*record.fallback, StartsWith("late: no answer after "));
  EXPECT_LT(WorstDifference(Logits(record), Expected(record.plan.exit, 3)), 1e-4);
  Eventually([&] { return EdgeTailUs(*device) > 10 * before_us; });
  Eventually([&] { return device->edge_usable(); });
  EXPECT_EQ(script_.Get(&FakeEdgeScript::cancelled), 0);
}

TEST_F(HedgeDeviceTest, NothingIsSentWhileAnAnswerIsOverdue) {
  const auto device = OpenCalibrated("fixed:0", 50'000);
  script_.Set(&FakeEdgeScript::infer, Mode::kSilent);
  ExpectHedgeWon(*device->Infer(Inputs(1)));
  const InferenceRecord next = *device->Infer(Inputs(2));
  EXPECT_EQ(next.where, Where::kDevice);
  EXPECT_FALSE(next.hedge.has_value());
  ASSERT_TRUE(next.fallback.has_value());
  EXPECT_THAT(*next.fallback, StartsWith("edge unavailable: "));
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 1);
}

TEST_F(HedgeDeviceTest, AnEdgeThatNeverAnswersIsLostAndFoundAgain) {
  const auto device = OpenCalibrated("fixed:0", 50'000);
  script_.Set(&FakeEdgeScript::infer, Mode::kSilent);
  const int greetings = script_.Get(&FakeEdgeScript::greetings);
  ExpectHedgeWon(*device->Infer(Inputs(1)));
  Eventually([&] { return script_.Get(&FakeEdgeScript::greetings) > greetings; });
  script_.Set(&FakeEdgeScript::infer, Mode::kAnswer);
  Eventually([&] { return device->Infer(Inputs(1))->where == Where::kEdge; });
}

class HedgeFailureTest : public HedgeDeviceTest, public ::testing::WithParamInterface<Mode> {};

TEST_P(HedgeFailureTest, TheHedgeIsTheAnswer) {
  const auto device = OpenCalibrated("fixed:0", kAmpleUs);
  script_.Set<std::int64_t>(&FakeEdgeScript::refuse_wait_us, 20'000);
  script_.Set(&FakeEdgeScript::infer, GetParam());
  const InferenceRecord record = *device->Infer(Inputs(5));
  ExpectHedgeWon(record);
  EXPECT_LT(WorstDifference(Logits(record), Expected(record.plan.exit, 5)), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Modes, HedgeFailureTest,
                         ::testing::Values(Mode::kUnavailable, Mode::kRefuse, Mode::kTooLarge,
                                           Mode::kWrongDigest, Mode::kBroken, Mode::kMissingOutput,
                                           Mode::kWrongType, Mode::kWrongShape));

TEST_F(HedgeDeviceTest, GoesOnFromTheHeadOfEveryCut) {
  const auto device = OpenCalibrated("device", kAmpleUs);
  const std::vector<float> expected = Expected(kLastExit - 1, 4);
  for (const int cut : device->candidate_cuts()) {
    if (cut == device->last_cut()) continue;
    script_.Set(&FakeEdgeScript::infer, Mode::kAnswer);
    Eventually([&] { return device->edge_usable(); });
    ASSERT_TRUE(device->SetPolicy(absl::StrCat("fixed:", cut)).ok());
    script_.Set(&FakeEdgeScript::infer, Mode::kUnavailable);
    const InferenceRecord record = *device->Infer(Inputs(4));
    ExpectHedgeWon(record);
    EXPECT_EQ(record.plan.exit, kLastExit - 1) << cut;
    EXPECT_LT(WorstDifference(Logits(record), expected), 1e-4) << cut;
  }
}

TEST_F(HedgeDeviceTest, DecodesThePictureThatTravels) {
  const auto device = OpenCalibrated("fixed:0/jpeg", kAmpleUs);
  script_.Set(&FakeEdgeScript::infer, Mode::kUnavailable);
  const InferenceRecord record = *device->InferPictures({Picture(5)});
  ExpectHedgeWon(record);
  EXPECT_GT(record.timeline.prepare_us, 0);
  EXPECT_LT(WorstDifference(Logits(record), Expected(record.plan.exit, 5)), 1e-4);
}

TEST_F(HedgeDeviceTest, WhatCannotBeEncodedIsStillAnswered) {
  const auto device = OpenCalibrated("fixed:0/jpeg75", kAmpleUs);
  const InferenceRecord record = *device->InferPictures({Picture(5)});
  EXPECT_EQ(record.outputs.size(), 1U);
  EXPECT_FALSE(device->InferPictures({"no picture"}).ok());
  EXPECT_TRUE(device->InferPictures({Picture(6)}).ok());
}

TEST_F(HedgeDeviceTest, AShutdownCancelsTheCallUnderWay) {
  auto device = OpenCalibrated("fixed:0", 50'000);
  script_.Set(&FakeEdgeScript::infer, Mode::kSilent);
  ExpectHedgeWon(*device->Infer(Inputs(1)));
  device.reset();
  EXPECT_EQ(script_.Get(&FakeEdgeScript::cancelled), 1);
}

TEST_F(HedgeDeviceTest, ACallThatCannotMatterIsCancelled) {
  const auto device = OpenCalibrated("fixed:0/q2", kAmpleUs);
  script_.Set(&FakeEdgeScript::infer, Mode::kSilent);
  const InferenceRecord record = *device->Infer(Inputs(1));
  ExpectHedgeWon(record);
  EXPECT_THAT(*record.fallback, HasSubstr("as accurate"));
  Eventually([&] { return script_.Get(&FakeEdgeScript::cancelled) == 1; });
  EXPECT_TRUE(device->edge_usable()) << "nothing is held against it";
  script_.Set(&FakeEdgeScript::infer, Mode::kAnswer);
  ASSERT_TRUE(device->SetPolicy("fixed:0").ok());
  EXPECT_EQ(device->Infer(Inputs(1))->where, Where::kEdge);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::cancelled), 1);
}

TEST_F(HedgeDeviceTest, NoneWithoutAnEarlierExitOrACalibration) {
  const auto uncalibrated = Open(Hedged("fixed:0", kAmpleUs));
  EXPECT_FALSE(uncalibrated->Infer(Inputs(1))->hedge.has_value());
  Calibrate();
  DeviceOptions options = Hedged("fixed:0", kAmpleUs);
  options.plans.exit = kLastExit;
  const auto single = Open(options);
  EXPECT_FALSE(single->Infer(Inputs(1))->hedge.has_value());
  const auto first = Open(Hedged("fixed:0/fp32/0", kAmpleUs));
  EXPECT_FALSE(first->Infer(Inputs(1))->hedge.has_value());
}

TEST_F(HedgeDeviceTest, NoneWhereTheEdgeIsSureEnough) {
  Calibrate();
  DeviceOptions options = Hedged("fixed:0", kAmpleUs);
  options.deadline.max_miss = 1;
  const auto device = Open(options);
  EXPECT_FALSE(device->Infer(Inputs(1))->hedge.has_value());
}

TEST_F(HedgeDeviceTest, NoInferenceIsLostWhateverTheEdgeDoes) {
  const auto device = OpenCalibrated("fixed:0", 10'000);
  std::map<int, std::vector<float>> expected;
  for (int exit = 0; exit <= kLastExit; ++exit) expected[exit] = Expected(exit, 7);
  const std::vector<Mode> modes = {Mode::kAnswer, Mode::kSlow,        Mode::kSilent, Mode::kRefuse,
                                   Mode::kAnswer, Mode::kUnavailable, Mode::kBroken};
  script_.Set<std::int64_t>(&FakeEdgeScript::slow_us, 15'000);
  script_.Set<std::int64_t>(&FakeEdgeScript::refuse_wait_us, 1'000);
  for (int i = 0; i < 120; ++i) {
    script_.Set(&FakeEdgeScript::infer, modes[static_cast<std::size_t>(i) % modes.size()]);
    const auto record = device->Infer(Inputs(7));
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_LT(WorstDifference(Logits(*record), expected[record->plan.exit]), 1e-4);
  }
}

TEST_F(HedgeDeviceTest, OptionsThatCannotBeAreRefused) {
  const auto message = [this](const DeviceOptions& options) {
    return std::string(TryOpen(options).status().message());
  };
  EXPECT_THAT(message({.deadline = {.max_miss = 0.1}}),
              HasSubstr("max_miss: found 0.1 and no deadline_us"));
  DeviceOptions options = Hedged("dynamic", kAmpleUs);
  options.deadline.max_miss = 1.5;
  EXPECT_THAT(message(options), HasSubstr("max_miss: found 1.5, expected a share"));
  options.deadline.max_miss = 0.1;
  options.plans.exit_confidence = "0.9";
  EXPECT_THAT(message(options), HasSubstr("max_miss: found 0.1 with exit_confidence"));
}

}  // namespace
}  // namespace cleave
