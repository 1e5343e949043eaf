#include "detect/detection_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/file.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = DetectionHead::Kind;

std::string Fault(const std::string& json) {
  return std::string(DetectionHead::FromJson(json, "s.json").status().message());
}

TEST(DetectionHeadTest, EachFieldOfTheSidecarIsRead) {
  const auto head = DetectionHead::FromJson(
      R"({"detections": {"kind": "boxes_scores_labels",
          "outputs": {"boxes": "b", "scores": ["s"], "labels": "l", "count": "n"},
          "box_format": "yxyx", "normalized": true, "activation": "sigmoid", "first_class": 1,
          "score_threshold": 0.5, "nms": "class", "iou_threshold": 0.25, "most": 9}})",
      "s.json");
  ASSERT_TRUE(head.ok()) << head.status();
  ASSERT_TRUE(head->has_value());
  const DetectionHead& found = **head;
  EXPECT_EQ(found.kind, Kind::kBoxesScoresLabels);
  EXPECT_EQ(found.outputs.boxes, "b");
  EXPECT_THAT(found.outputs.scores, ElementsAre("s"));
  EXPECT_EQ(found.outputs.labels, "l");
  EXPECT_EQ(found.outputs.count, "n");
  EXPECT_EQ(found.box_format, DetectionHead::BoxFormat::kYxyx);
  EXPECT_TRUE(found.normalized);
  EXPECT_EQ(found.activation, DetectionHead::Activation::kSigmoid);
  EXPECT_EQ(found.first_class, 1);
  EXPECT_EQ(found.score_threshold, 0.5);
  EXPECT_EQ(found.suppression, DetectionHead::Suppression::kClass);
  EXPECT_EQ(found.iou_threshold, 0.25);
  EXPECT_EQ(found.most, 9);
}

TEST(DetectionHeadTest, AKindBringsItsDefaults) {
  const auto yolo = DetectionHead::FromJson(
      R"({"detections": {"kind": "yolo_v8", "outputs": {"predictions": "o"}}})", "s.json");
  ASSERT_TRUE(yolo.ok() && *yolo) << yolo.status();
  EXPECT_EQ((**yolo).box_format, DetectionHead::BoxFormat::kCxcywh);
  EXPECT_EQ((**yolo).suppression, DetectionHead::Suppression::kClass);
  EXPECT_EQ((**yolo).score_threshold, 0.25);
  const auto ssd = DetectionHead::FromJson(
      R"({"detections": {"kind": "boxes_scores_labels", "outputs": {"predictions": "o"}}})", "s");
  ASSERT_TRUE(ssd.ok() && *ssd) << ssd.status();
  EXPECT_EQ((**ssd).suppression, DetectionHead::Suppression::kNone);
  const auto none = DetectionHead::FromJson(R"({"labels": []})", "s.json");
  ASSERT_TRUE(none.ok());
  EXPECT_FALSE(none->has_value());
}

TEST(DetectionHeadTest, WhatIsWrittenReadsBack) {
  DetectionHead head = DetectionHead::Of(Kind::kDistribution);
  head.outputs.scores = {"a \"b\"", "c"};
  head.outputs.distances = {"d", "e"};
  head.strides = {8, 16};
  head.reg_max = 10;
  head.cell_offset = 0.1;
  head.score_threshold = 1.0 / 3;
  const auto again = DetectionHead::FromJson(head.ToJson(), "s.json");
  ASSERT_TRUE(again.ok() && *again) << again.status();
  EXPECT_EQ((**again).ToJson(), head.ToJson());
  EXPECT_THAT((**again).outputs.scores, ElementsAre("a \"b\"", "c"));
  EXPECT_EQ((**again).score_threshold, 1.0 / 3);
  EXPECT_EQ((**again).cell_offset, 0.1);
  EXPECT_EQ((**again).reg_max, 10);
}

TEST(DetectionHeadTest, FaultsNameTheField) {
  EXPECT_THAT(Fault(R"({"detections": []})"), HasSubstr("s.json: detections"));
  EXPECT_THAT(Fault(R"({"detections": {}})"), HasSubstr("detections.kind: found nothing"));
  EXPECT_THAT(Fault(R"({"detections": {"kind": "yolo"}})"),
              AllOf(HasSubstr("detections.kind: found \"yolo\""), HasSubstr("\"yolo_v8\"")));
  EXPECT_THAT(Fault(R"({"detections": {"kind": "yolo_v8"}})"),
              HasSubstr("detections.outputs.predictions: found nothing"));
  const auto yolo = [](const std::string& fields) {
    return Fault(R"({"detections": {"kind": "yolo_v8", "outputs": {"predictions": "o"}, )" +
                 fields + "}}");
  };
  EXPECT_THAT(yolo(R"("threshold": 1)"), HasSubstr("detections.threshold"));
  EXPECT_THAT(yolo(R"("score_threshold": 2)"),
              HasSubstr("detections.score_threshold: found 2, expected 0 to 1"));
  EXPECT_THAT(yolo(R"("iou_threshold": -1)"), HasSubstr("detections.iou_threshold"));
  EXPECT_THAT(yolo(R"("most": 0)"), HasSubstr("detections.most: found 0, expected 1 to 4096"));
  EXPECT_THAT(yolo(R"("first_class": -1)"), HasSubstr("detections.first_class"));
  EXPECT_THAT(yolo(R"("strides": [16, 8])"),
              AllOf(HasSubstr("detections.strides: found 16, 8"), HasSubstr("ascending")));
  EXPECT_THAT(yolo(R"("reg_max": 1000)"), HasSubstr("detections.reg_max"));
  EXPECT_THAT(yolo(R"("cell_offset": 2)"), HasSubstr("detections.cell_offset"));
  EXPECT_THAT(yolo(R"("nms": "all")"), HasSubstr("detections.nms: found \"all\""));
  EXPECT_THAT(Fault(R"({"detections": {"kind": "yolo_v5", "outputs": {"predictions": "o",
                        "boxes": "b"}}})"),
              AllOf(HasSubstr("detections.outputs.boxes"), HasSubstr("none for kind yolo_v5")));
  EXPECT_THAT(Fault(R"({"detections": {"kind": "yolo_v5", "outputs": {"output": "o"}}})"),
              HasSubstr("detections.outputs.output"));
  EXPECT_THAT(Fault(R"({"detections": {"kind": "distribution", "strides": [8, 16, 32], "outputs":
                        {"scores": ["a", "b"], "distances": ["c"]}}})"),
              AllOf(HasSubstr("detections.outputs.scores: found 2 names"), HasSubstr("or 3")));
  EXPECT_THAT(Fault(R"({"detections": {"kind": "boxes_scores_labels", "activation": "softmax",
                        "outputs": {"predictions": "o"}}})"),
              HasSubstr("detections.activation"));
}

TEST(DetectionHeadTest, StandsBesideAModel) {
  const std::string model = ::testing::TempDir() + "/detector.onnx";
  ASSERT_TRUE(WriteFileAtomically(model + ".json", R"({"detections": {"kind": "none"}})").ok());
  const auto head = DetectionHead::OfModel(model);
  ASSERT_TRUE(head.ok() && *head) << head.status();
  EXPECT_EQ((**head).kind, Kind::kNone);
  const auto none = DetectionHead::OfModel(::testing::TempDir() + "/no_such_detector.onnx");
  ASSERT_TRUE(none.ok()) << none.status();
  EXPECT_FALSE(none->has_value());
}

}  // namespace
}  // namespace cleave
