#include "detect/detection_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "detect/decode.h"
#include "detect/detections_tensor.h"
#include "detect/outputs.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Output;
using testing::SameSize;
using Kind = DetectionHead::Kind;

DetectionQuery PerClass() {
  DetectionQuery query;
  query.head = DetectionHead::Of(Kind::kBoxesScoresPerClass);
  query.head.outputs.boxes = "boxes";
  query.head.outputs.scores = {"scores"};
  query.input = {40, 30};
  return query;
}

std::string Fault(const std::string& json) {
  return std::string(DetectionQuery::FromJson(json, "query").status().message());
}

TEST(DetectionQueryTest, JsonGivesBackTheSameQueryWithoutDefaults) {
  DetectionQuery query = PerClass();
  query.head.score_threshold = 0.125;
  query.head.classes = 80;
  const std::string json = query.ToJson();
  EXPECT_EQ(json,
            R"({"detections":{"kind":"boxes_scores_per_class","outputs":{"boxes":"boxes",)"
            R"("scores":["scores"]},"score_threshold":0.125},"input":{"width":40,"height":30},)"
            R"("classes":80})");
  const auto back = DetectionQuery::FromJson(json, "query");
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->ToJson(), json);
  EXPECT_EQ(back->head.ToJson(), query.head.ToJson());
  EXPECT_EQ(back->input, query.input);
  EXPECT_EQ(back->head.classes, 80);
  EXPECT_EQ(DetectionQuery::FromJson(PerClass().ToJson(), "query")->head.classes, std::nullopt);
}

TEST(DetectionQueryTest, EveryKindSurvivesTheWay) {
  for (const Kind kind : {Kind::kBoxesScoresLabels, Kind::kYoloV5, Kind::kYoloV8}) {
    DetectionQuery query;
    query.input = {8, 8};
    query.head = DetectionHead::Of(kind);
    query.head.outputs.predictions = "p";
    query.head.normalized = !query.head.normalized;
    query.head.suppression = DetectionHead::Suppression::kNone;
    const auto back = DetectionQuery::FromJson(query.ToJson(), "query");
    ASSERT_TRUE(back.ok()) << KindName(kind) << ": " << back.status();
    EXPECT_EQ(back->head.ToJson(), query.head.ToJson());
  }
}

TEST(DetectionQueryTest, WhatAStrangerSaysIsChecked) {
  const std::string head = R"("detections":{"kind":"yolo_v8","outputs":{"predictions":"p"}})";
  EXPECT_EQ(Fault(absl::StrCat("{", head, R"(,"input":{"width":8,"height":8}})")), "");
  EXPECT_THAT(Fault("[]"), HasSubstr("query"));
  EXPECT_THAT(Fault(absl::StrCat("{", head, "}")), HasSubstr("input"));
  EXPECT_THAT(Fault(absl::StrCat("{", head, R"(,"input":{"width":0,"height":8}})")),
              HasSubstr("input.width: found 0"));
  EXPECT_THAT(Fault(absl::StrCat("{", head, R"(,"input":{"width":8,"height":1e9}})")),
              HasSubstr("input.height"));
  EXPECT_THAT(Fault(absl::StrCat("{", head, R"(,"input":{"width":8,"height":8},"classes":0})")),
              HasSubstr("classes: found 0"));
  EXPECT_THAT(Fault(absl::StrCat("{", head, R"(,"input":{"width":8,"height":8},"more":1})")),
              HasSubstr("more"));
  EXPECT_THAT(Fault(R"({"detections":{"kind":"none"},"input":{"width":8,"height":8}})"),
              HasSubstr("query: found no detections"));
  EXPECT_THAT(Fault(R"({"detections":{"kind":"yolo_v8"},"input":{"width":8,"height":8}})"),
              HasSubstr("outputs.predictions"));
}

TEST(DetectionQueryTest, NamesTheOutputsThatItNeeds) {
  EXPECT_THAT(PerClass().OutputNames(), ElementsAre("scores", "boxes"));
}

TEST(DetectionQueryTest, AnswersWhatDecodeFindsInThePicture) {
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, 2, 4}, {5, 5, 20, 20, 30, 20, 60, 29}),
      Output("scores", {1, 2, 2}, {0.75F, 0.125F, 0, 0.5F})};
  const auto answer = PerClass().Answer(outputs);
  ASSERT_TRUE(answer.ok()) << answer.status();
  ASSERT_EQ(answer->size(), 1U);
  EXPECT_EQ(answer->front().name, "detections");
  const DetectionInput input = SameSize(40, 30);
  const auto there = InPictures(*DetectionsOf(answer->front().tensor, 1), input.pictures);
  const auto here = Decode(outputs, PerClass().head, input);
  ASSERT_TRUE(there.ok() && here.ok()) << there.status() << here.status();
  ASSERT_EQ((*there)[0].size(), 2U);
  ASSERT_EQ((*here)[0].size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*there)[0][i].class_index, (*here)[0][i].class_index);
    EXPECT_EQ((*there)[0][i].score, (*here)[0][i].score);
    EXPECT_EQ((*there)[0][i].box.x1, (*here)[0][i].box.x1);
  }
  EXPECT_EQ((*there)[0][1].box.x1, 40) << "cut off at the picture's edge";
}

TEST(DetectionQueryTest, OutputsThatAreNotTheHeadsAreRefusedByName) {
  const auto answer = PerClass().Answer({Output("scores", {1, 2, 2}, {0, 0, 0, 0})});
  EXPECT_THAT(answer.status().message(), HasSubstr("boxes"));
}

}  // namespace
}  // namespace cleave
