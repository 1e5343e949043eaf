// A device whose detector's outputs become detections, at the edge or on the device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "detect/detections_tensor.h"
#include "device/beside_fake_edge.h"
#include "device/detections.h"
#include "device/device_impl.h"
#include "device/models.h"
#include "device/plan_table.h"
#include "support/cell_detector.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using testing::BesideFakeEdge;
using testing::CellDetector;
using testing::EarlyOutputModel;
using ::testing::ElementsAre;
using testing::FakeEdgeScript;
using ::testing::HasSubstr;
using testing::OpenBesideFakeEdge;
using testing::TempDir;

class DetectionsDeviceTest : public ::testing::Test {
 protected:
  DetectionsDeviceTest() {
    setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1);
    path_ = CellDetector::Write(folder_.path());
    graph_ = *Graph::Load(path_);
  }

  static DeviceOptions Options(const std::string& policy, AnswerForm form) {
    DeviceOptions options;
    options.edge.address = "edge:1";
    options.plans.policy = policy;
    options.plans.cuts = "all";
    options.answers.form = form;
    return options;
  }

  std::unique_ptr<Device> Open(const DeviceOptions& options) {
    return OpenBesideFakeEdge(path_, options, BesideFakeEdge(graph_, script_));
  }
  std::unique_ptr<Device> Open(const std::string& policy) {
    return Open(Options(policy, AnswerForm::kDetections));
  }

  static InferenceRecord Infer(Device& device) {
    auto record =
        device.InferPictures({CellDetector::Picture(0, 1, 2), CellDetector::Picture(1, 2, 1)});
    EXPECT_TRUE(record.ok()) << record.status();
    return record.ok() ? *std::move(record) : InferenceRecord();
  }

  static void ExpectBothCells(const InferenceRecord& record) {
    EXPECT_EQ(record.form, AnswerForm::kDetections);
    ASSERT_EQ(record.outputs.size(), 1U);
    EXPECT_EQ(record.outputs[0].name, "detections");
    const auto found = DetectionsOf(record.outputs[0].tensor, 2);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_EQ((*found)[0].size(), 1U);
    EXPECT_EQ((*found)[0][0].class_index, 0);
    ASSERT_EQ((*found)[1].size(), 1U);
    EXPECT_EQ((*found)[1][0].class_index, 1);
  }

  const TempDir folder_;
  std::string path_;
  std::shared_ptr<const Graph> graph_;
  FakeEdgeScript script_;
};

TEST_F(DetectionsDeviceTest, AreTheSameWhereverTheyWereMade) {
  const std::unique_ptr<Device> device = Open("device");
  const InferenceRecord here = Infer(*device);
  EXPECT_EQ(here.where, Where::kDevice);
  ExpectBothCells(here);
  for (const char* policy : {"edge", "fixed:1/fp32"}) {
    ASSERT_TRUE(device->SetPolicy(policy).ok());
    const InferenceRecord there = Infer(*device);
    EXPECT_EQ(there.fallback, std::nullopt);
    EXPECT_NE(there.where, Where::kDevice);
    ExpectBothCells(there);
    const Tensor& a = here.outputs[0].tensor;
    const Tensor& b = there.outputs[0].tensor;
    ASSERT_EQ(a.size_bytes(), b.size_bytes());
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size_bytes())), 0);
    EXPECT_LT(there.bytes_down, 100) << "and not all scores and distances";
  }
  EXPECT_EQ(script_.infers, 2);
}

TEST_F(DetectionsDeviceTest, AnEdgeThatAnswersWithOutputsWillDo) {
  script_.makes_detections = false;
  const std::unique_ptr<Device> device = Open("edge");
  const InferenceRecord record = Infer(*device);
  EXPECT_EQ(record.where, Where::kEdge);
  EXPECT_EQ(record.fallback, std::nullopt);
  ExpectBothCells(record);
  script_.Set(&FakeEdgeScript::plain, true);
  ExpectBothCells(Infer(*Open("edge")));
  EXPECT_FALSE(script_.Get(&FakeEdgeScript::last_call).detections.has_value())
      << "a plain server is not asked";
}

TEST_F(DetectionsDeviceTest, WhatNoDetectorFindsIsNotTaken) {
  for (const auto spoiled : {FakeEdgeScript::Infer::kWrongShape, FakeEdgeScript::Infer::kWrongType,
                             FakeEdgeScript::Infer::kMissingOutput}) {
    script_.Set(&FakeEdgeScript::infer, spoiled);
    const InferenceRecord record = Infer(*Open("edge"));
    EXPECT_EQ(record.where, Where::kDevice);
    ASSERT_TRUE(record.fallback.has_value());
    ExpectBothCells(record);
  }
}

TEST_F(DetectionsDeviceTest, OutputsStayOutputsUnlessTheyAreAskedFor) {
  const InferenceRecord record = Infer(*Open(Options("edge", AnswerForm::kOutputs)));
  EXPECT_EQ(record.form, AnswerForm::kOutputs);
  EXPECT_EQ(record.outputs.size(), 2U);
  EXPECT_FALSE(script_.last_call.detections.has_value());
}

TEST_F(DetectionsDeviceTest, TheThresholdIsTheCallers) {
  DeviceOptions options = Options("edge", AnswerForm::kDetections);
  options.answers.score_threshold = 1;
  const InferenceRecord record = Infer(*Open(options));
  EXPECT_THAT(record.outputs[0].tensor.shape(), ElementsAre(0, 7));
  EXPECT_EQ(script_.last_call.detections->head.score_threshold, 1);
}

TEST_F(DetectionsDeviceTest, AnotherNumberOfClassesThanThereAreNamesIsAnError) {
  DeviceOptions options = Options("edge", AnswerForm::kDetections);
  options.answers.classes = 3;
  const auto record = Open(options)->InferPictures({CellDetector::Picture(0, 1, 2)});
  EXPECT_THAT(record.status().message(), HasSubstr("found scores of 2 classes, expected 3"));
}

TEST_F(DetectionsDeviceTest, TheTableKnowsThatAnAnswerIsSmall) {
  const auto bytes_down = [&](AnswerForm form) {
    const DeviceOptions options = Options("edge", form);
    const LocalModel model = *LocalModel::Load(path_, options);
    PlanTableTerms terms;
    terms.encodings = {Encoding::kFp32};
    return MakePlanTable(model, nullptr, terms)->plans.front().bytes_down;
  };
  EXPECT_GT(bytes_down(AnswerForm::kOutputs), 4 * 4 * 34 * 4);
  EXPECT_LT(bytes_down(AnswerForm::kDetections), 600);
}

TEST_F(DetectionsDeviceTest, AModelThatIsNoDetectorGivesItsOutputs) {
  path_ = folder_.Write("net.onnx", EarlyOutputModel());
  graph_ = *Graph::Load(path_);
  const std::unique_ptr<Device> device = Open("edge");
  const auto record = device->Infer(*RandomInputs(*graph_, 2, 1));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->form, AnswerForm::kOutputs);
  EXPECT_EQ(record->outputs.size(), 2U);
}

// What a head makes of a picture stays on the device; an edge cannot make detections of the rest.
TEST_F(DetectionsDeviceTest, AnOutputOfTheHeadKeepsTheEdgeFromDetecting) {
  path_ = folder_.Write("net.onnx", EarlyOutputModel());
  const LocalModel model = *LocalModel::Load(path_, Options("edge", AnswerForm::kDetections));
  DetectionQuery query;
  query.head.outputs.scores = {"early"};
  query.head.outputs.boxes = "y";
  const ExitModel& exit = model.main().model;
  const auto last = LastDetectingCut(exit, query);
  ASSERT_TRUE(last.has_value());
  EXPECT_LT(*last, exit.last_cut());
  query.head.outputs.scores.clear();
  EXPECT_EQ(LastDetectingCut(exit, query), exit.last_cut());
  query.head.outputs.labels = "other";
  EXPECT_EQ(LastDetectingCut(exit, query), std::nullopt);
}

}  // namespace
}  // namespace cleave
