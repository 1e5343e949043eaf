#include "detect/guess_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleave {
namespace {

using ::testing::ElementsAre;
using Kind = DetectionHead::Kind;
using Certainty = GuessedHead::Certainty;

TensorSpec Spec(const std::string& name, Shape shape, DataType dtype = DataType::kFloat32) {
  return {name, dtype, std::move(shape)};
}

TEST(GuessHeadTest, TheYoloFamilyIsKnownByItsGrids) {
  const auto v8 = GuessHead({Spec("output0", {1, 84, 8400})}, {640, 640});
  ASSERT_TRUE(v8.has_value());
  EXPECT_EQ(v8->head.kind, Kind::kYoloV8);
  EXPECT_EQ(v8->certainty, Certainty::kUnmistakable);
  EXPECT_EQ(v8->classes, 80);
  EXPECT_EQ(v8->head.outputs.predictions, "output0");
  EXPECT_TRUE(v8->head.Validate().ok());
  EXPECT_EQ(HeadText(*v8), "a YOLOv8 or YOLO11 head of 80 classes");

  const auto v5 =
      GuessHead({Spec("output0", {-1, 25200, 85}), Spec("raw", {1, 3, 80, 80, 85})}, {640, 640});
  ASSERT_TRUE(v5.has_value());
  EXPECT_EQ(v5->head.kind, Kind::kYoloV5);
  EXPECT_EQ(v5->certainty, Certainty::kUnmistakable);
  EXPECT_EQ(v5->classes, 80);

  const auto v10 = GuessHead({Spec("output0", {1, 300, 6})}, {640, 640});
  ASSERT_TRUE(v10.has_value());
  EXPECT_EQ(v10->head.kind, Kind::kBoxesScoresLabels);
  EXPECT_EQ(v10->head.outputs.predictions, "output0");
}

TEST(GuessHeadTest, AnchorFreeHeadsAreOnlyLikely) {
  const auto nanodet =
      GuessHead({Spec("c8", {1, 2704, 80}), Spec("c16", {1, 676, 80}), Spec("c32", {1, 169, 80}),
                 Spec("d8", {1, 2704, 44}), Spec("d16", {1, 676, 44}), Spec("d32", {1, 169, 44})},
                {416, 416});
  ASSERT_TRUE(nanodet.has_value());
  EXPECT_EQ(nanodet->head.kind, Kind::kDistribution);
  EXPECT_EQ(nanodet->certainty, Certainty::kLikely);
  EXPECT_EQ(nanodet->head.reg_max, 10);
  EXPECT_EQ(nanodet->classes, 80);
  EXPECT_THAT(nanodet->head.outputs.scores, ElementsAre("c8", "c16", "c32"));
  EXPECT_THAT(nanodet->head.outputs.distances, ElementsAre("d8", "d16", "d32"));

  const auto plus = GuessHead({Spec("output", {1, 3598, 112})}, {416, 416});
  ASSERT_TRUE(plus.has_value());
  EXPECT_EQ(plus->head.kind, Kind::kDistribution);
  EXPECT_THAT(plus->head.strides, ElementsAre(8, 16, 32, 64));
  EXPECT_EQ(plus->classes, 80);
}

TEST(GuessHeadTest, NamesTellBoxesScoresAndLabels) {
  const auto ssd =
      GuessHead({Spec("detection_boxes:0", {-1, -1, 4}), Spec("detection_classes:0", {-1, -1}),
                 Spec("detection_scores:0", {-1, -1}), Spec("num_detections:0", {-1})},
                {0, 0});
  ASSERT_TRUE(ssd.has_value());
  EXPECT_EQ(ssd->certainty, Certainty::kUnmistakable);
  EXPECT_EQ(ssd->head.box_format, DetectionHead::BoxFormat::kYxyx);
  EXPECT_TRUE(ssd->head.normalized);
  EXPECT_EQ(ssd->head.first_class, 1);
  EXPECT_EQ(ssd->head.outputs.count, "num_detections:0");

  const auto torchvision = GuessHead(
      {Spec("boxes", {-1, 4}), Spec("scores", {-1}), Spec("labels", {-1}, DataType::kInt64)},
      {320, 320});
  ASSERT_TRUE(torchvision.has_value());
  EXPECT_EQ(torchvision->certainty, Certainty::kUnmistakable);
  EXPECT_FALSE(torchvision->head.normalized);

  const auto faces =
      GuessHead({Spec("scores", {1, 4420, 2}), Spec("boxes", {1, 4420, 4})}, {320, 240});
  ASSERT_TRUE(faces.has_value());
  EXPECT_EQ(faces->head.kind, Kind::kBoxesScoresPerClass);
  EXPECT_EQ(faces->certainty, Certainty::kLikely);
  EXPECT_EQ(faces->classes, 2);
}

TEST(GuessHeadTest, OtherModelsAreNoDetectors) {
  EXPECT_FALSE(GuessHead({Spec("logits", {-1, 1000})}, {224, 224}).has_value());
  EXPECT_FALSE(GuessHead({Spec("mask", {1, 21, 520, 520})}, {520, 520}).has_value());
  EXPECT_FALSE(GuessHead({Spec("depth", {1, 256, 256})}, {256, 256}).has_value());
  EXPECT_FALSE(GuessHead({Spec("tokens", {1, 50, 768})}, {224, 224}).has_value());
  EXPECT_FALSE(GuessHead({Spec("output0", {1, 84, 8400})}, {0, 0}).has_value());
  EXPECT_FALSE(GuessHead({}, {224, 224}).has_value());
}

}  // namespace
}  // namespace cleave
