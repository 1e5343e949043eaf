#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cleave/device.h"
#include "codec/picture.h"
#include "device/device_impl.h"
#include "device/elastic_fixture.h"
#include "profile/accuracy_table.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using testing::ElasticDeviceTest;
using testing::FakeEdgeScript;
using ::testing::HasSubstr;
using testing::kLastExit;
using testing::Logits;
using testing::Picture;
using ::testing::StartsWith;
using testing::TempDir;
using testing::WorstDifference;

TEST_F(ElasticDeviceTest, EveryExitAndEncodingRunsAsFixed) {
  const auto device = Open({});
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->exits().size(), 5U);
  for (int exit = 0; exit <= kLastExit; ++exit) {
    ASSERT_TRUE(device->SetPolicy(absl::StrCat("fixed:0/fp32/", exit)).ok());
    const InferenceRecord exact = *device->Infer(Inputs(3));
    EXPECT_EQ(exact.outputs.front().name, graph_->exits()[static_cast<std::size_t>(exit)]);
    EXPECT_EQ(exact.where, Where::kEdge);
    for (const Encoding encoding : {Encoding::kFp16, Encoding::kQ8, Encoding::kQ2}) {
      const std::string policy = absl::StrCat("fixed:0/", EncodingName(encoding), "/", exit);
      ASSERT_TRUE(device->SetPolicy(policy).ok());
      const InferenceRecord record = *device->Infer(Inputs(3));
      EXPECT_EQ(record.plan, (Plan{exit, 0, encoding}));
      EXPECT_FALSE(record.fallback.has_value()) << *record.fallback;
      ASSERT_TRUE(script_.Get(&FakeEdgeScript::last_call).encode.has_value());
      EXPECT_EQ(script_.Get(&FakeEdgeScript::last_call).encode->encoding, encoding);
      const double worst = WorstDifference(Logits(record), Logits(exact));
      EXPECT_LT(worst, encoding == Encoding::kQ2 ? 100 : 2) << policy;
      EXPECT_GT(worst, 0) << policy;
    }
  }
}

TEST_F(ElasticDeviceTest, APictureTravelsAsItsFileAndChangesNothing) {
  const auto device = Open({.plans = {.policy = "fixed:0/jpeg"}});
  ASSERT_NE(device, nullptr);
  const InferenceRecord record = *device->InferPictures({Picture(5)});
  EXPECT_EQ(record.plan.encoding, Encoding::kJpeg);
  EXPECT_EQ(record.where, Where::kEdge);
  EXPECT_EQ(record.timeline.prepare_us, 0) << "nobody decodes it here";
  const InferCall call = script_.Get(&FakeEdgeScript::last_call);
  EXPECT_THAT(call.images, ::testing::ElementsAre(Picture(5)));
  EXPECT_TRUE(call.inputs.empty());
  ASSERT_TRUE(device->SetPolicy("edge").ok());
  EXPECT_EQ(Logits(record), Logits(*device->Infer(Inputs(5))));
}

TEST_F(ElasticDeviceTest, APictureThatCannotTravelIsDecodedHere) {
  const auto device = Open({.plans = {.policy = "fixed:0/jpeg75/1"}});
  ASSERT_NE(device, nullptr);
  Calibrate();
  const auto calibrated = Open({.plans = {.policy = "fixed:0/jpeg75/1"}});
  ASSERT_NE(calibrated, nullptr);
  script_.Set(&FakeEdgeScript::infer, FakeEdgeScript::Infer::kBroken);
  const InferenceRecord record = *calibrated->InferPictures({Picture(7), Picture(8)});
  EXPECT_EQ(record.where, Where::kDevice);
  ASSERT_TRUE(record.fallback.has_value());
  EXPECT_GT(record.timeline.prepare_us, 0);
  EXPECT_EQ(record.outputs.front().name, "exit2");
  EXPECT_EQ(record.outputs.front().tensor.shape(), (Shape{2, 10}));
}

TEST_F(ElasticDeviceTest, WhatIsNoPictureIsRefused) {
  const auto device = Open({.plans = {.policy = "device"}});
  ASSERT_NE(device, nullptr);
  EXPECT_TRUE(absl::IsInvalidArgument(device->InferPictures({"no picture"}).status()));
  EXPECT_FALSE(device->InferPictures({}).ok());
}

TEST_F(ElasticDeviceTest, AnExitThatTheUserAskedForIsTheOnlyOne) {
  const auto device = Open({.plans = {.policy = "dynamic", .exit = 1}});
  ASSERT_NE(device, nullptr);
  EXPECT_EQ(device->Infer(Inputs(1))->outputs.front().name, "exit2");
  const std::vector<PlanForecast> rows = *device->Explain(1);
  for (const PlanForecast& row : rows) EXPECT_EQ(row.exit, 1);
  EXPECT_FALSE(device->SetPolicy("fixed:0/fp32/3").ok());
  const auto beyond = TryOpen({.plans = {.exit = 5}});
  EXPECT_THAT(beyond.status().message(), HasSubstr("expected 0 to 4 (exit1, exit2"));
}

TEST_F(ElasticDeviceTest, WithoutACalibrationNothingIsGivenUp) {
  const auto device = Open({});
  ASSERT_NE(device, nullptr);
  for (int i = 0; i < 5; ++i) {
    const InferenceRecord record = *device->Infer(Inputs(i));
    EXPECT_EQ(record.plan.exit, kLastExit);
    EXPECT_TRUE(IsExact(record.plan.encoding));
  }
  const auto bar = TryOpen({.plans = {.min_accuracy = 0.5}});
  EXPECT_THAT(bar.status().message(), HasSubstr("not calibrated"));
}

TEST_F(ElasticDeviceTest, NoPlanBelowTheBarIsChosen) {
  Calibrate();
  for (const double bar : {0.82, 0.85, 0.88, 0.9}) {
    const auto device = Open({.plans = {.min_accuracy = bar}});
    ASSERT_NE(device, nullptr);
    for (int i = 0; i < 4; ++i) {
      const InferenceRecord record = *device->InferPictures({Picture(i)});
      ASSERT_TRUE(record.accuracy.has_value());
      EXPECT_GE(*record.accuracy, bar);
    }
  }
  const auto above = TryOpen({.plans = {.min_accuracy = 0.95}});
  EXPECT_THAT(above.status().message(), HasSubstr("90.0% of exit 4"));
}

TEST_F(ElasticDeviceTest, ADeadlineThatNothingMeetsIsNamedWithWhatComesNearest) {
  Calibrate();
  const auto device = Open({.plans = {.min_accuracy = 0.85}, .deadline = {.deadline_us = 1}});
  ASSERT_NE(device, nullptr);
  const InferenceRecord record = *device->Infer(Inputs(1));
  EXPECT_THAT(record.reason,
              StartsWith("no plan at an accuracy of 85.0% meets 1.00 us; nearest: "));
  EXPECT_TRUE(record.deadline_missed);
}

TEST_F(ElasticDeviceTest, ADeadlineWithRoomGetsTheBestAnswer) {
  Calibrate();
  const auto device = Open({.deadline = {.deadline_us = 20'000'000}});
  ASSERT_NE(device, nullptr);
  const InferenceRecord record = *device->Infer(Inputs(1));
  EXPECT_EQ(record.reason, "most accurate in time");
  EXPECT_EQ(record.accuracy, 0.9);
}

TEST_F(ElasticDeviceTest, AnotherModelsCalibrationIsRefused) {
  Calibrate();
  const std::string other = folder_.path() + "/other.onnx";
  testing::TempDir elsewhere;
  std::filesystem::copy(folder_.path() + "/net.json", folder_.path() + "/other.json");
  std::filesystem::copy(path_, other);
  std::ofstream(other, std::ios::app | std::ios::binary) << std::string("\x72\x00", 2);
  DeviceSurroundings surroundings;
  const auto device = OpenDevice(other, {}, surroundings);
  EXPECT_TRUE(absl::IsFailedPrecondition(device.status())) << device.status();
}

TEST_F(ElasticDeviceTest, ConfidenceEndsItEarly) {
  const auto sure = Open({.plans = {.policy = "device", .exit_confidence = "0"}});
  ASSERT_NE(sure, nullptr);
  const InferenceRecord early = *sure->Infer(Inputs(2));
  EXPECT_EQ(early.plan.exit, 0);
  EXPECT_EQ(early.where, Where::kDevice);
  EXPECT_EQ(early.reason, "confident");
  EXPECT_EQ(early.outputs.front().name, "exit1");
  ASSERT_TRUE(sure->SetPolicy("fixed:0/fp32/0").ok());
  EXPECT_LT(WorstDifference(Logits(early), Logits(*sure->Infer(Inputs(2)))), 1e-4);
}

TEST_F(ElasticDeviceTest, WithoutConfidenceItGoesOnFromWhereItWas) {
  const auto device = Open({.plans = {.policy = "device", .exit_confidence = "entropy:0"}});
  ASSERT_NE(device, nullptr);
  const InferenceRecord last = *device->Infer(Inputs(2));
  EXPECT_EQ(last.plan.exit, kLastExit);
  EXPECT_TRUE(last.confidence.has_value());
  ASSERT_TRUE(device->SetPolicy("fixed:0").ok());
  EXPECT_LT(WorstDifference(Logits(last), Logits(*device->Infer(Inputs(2)))), 1e-4);
  EXPECT_EQ(script_.Get(&FakeEdgeScript::infers), 1);
}

TEST_F(ElasticDeviceTest, UnsureInputsAreSentFromBehindTheFirstExit) {
  const auto device = Open({.plans = {.exit_confidence = "entropy:0"}});
  ASSERT_NE(device, nullptr);
  const std::vector<PlanForecast> rows = *device->Explain(1);
  for (const PlanForecast& row : rows) EXPECT_GT(row.cut, 0);
  const InferenceRecord record = *device->Infer(Inputs(2));
  EXPECT_EQ(record.plan.exit, kLastExit);
  EXPECT_GT(record.plan.cut, 0);
}

TEST_F(ElasticDeviceTest, WhatCannotBeEncodedIsNotTheEdgesFault) {
  const auto device = Open({.plans = {.policy = "fixed:0/q8"}});
  ASSERT_NE(device, nullptr);
  std::vector<float> values(3 * 32 * 32, 0.5F);
  values[7] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<NamedTensor> inputs = {
      {"image", *Tensor::FromFloats({1, 3, 32, 32}, std::move(values))}};
  const InferenceRecord record = *device->Infer(inputs);
  EXPECT_EQ(record.where, Where::kDevice);
  ASSERT_TRUE(record.fallback.has_value());
  EXPECT_THAT(*record.fallback, StartsWith("not sent: "));
  EXPECT_TRUE(device->edge_usable());
  EXPECT_EQ(device->Infer(Inputs(1))->where, Where::kEdge);
}

TEST_F(ElasticDeviceTest, OptionsThatCannotBeAreRefused) {
  EXPECT_FALSE(TryOpen({.plans = {.min_accuracy = 80}}).ok());
  EXPECT_FALSE(TryOpen({.plans = {.accuracy_drop = -0.1}}).ok());
  EXPECT_THAT(TryOpen({.plans = {.encodings = "fp32,q7"}}).status().message(), HasSubstr("'q7'"));
  EXPECT_FALSE(TryOpen({.plans = {.exit_confidence = "very"}}).ok());
  EXPECT_FALSE(TryOpen({.runtime = {.preprocessing = "{}x"}}).ok());
  EXPECT_THAT(TryOpen({.plans = {.exit = 1, .exit_confidence = "0.9"}}).status().message(),
              HasSubstr("exit_confidence: found '0.9' with exit 1, expected the last exit (4)"));
  EXPECT_TRUE(TryOpen({.plans = {.exit = kLastExit, .exit_confidence = "0.9"}}).ok());
}

}  // namespace
}  // namespace cleave
