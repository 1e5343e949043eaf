#include "detect/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "detect/outputs.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Output;
using testing::SameSize;
using ::testing::SizeIs;
using Kind = DetectionHead::Kind;
using BoxFormat = DetectionHead::BoxFormat;
using Activation = DetectionHead::Activation;
using Suppression = DetectionHead::Suppression;
using Found = std::vector<std::vector<Detection>>;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

auto IsDetection(int class_index, double score, double x0, double y0, double x1, double y1) {
  return AllOf(Field("class", &Detection::class_index, class_index),
               Field("score", &Detection::score, DoubleNear(score, 1e-5)),
               Field("box", &Detection::box,
                     AllOf(Field("x0", &Box::x0, DoubleNear(x0, 1e-4)),
                           Field("y0", &Box::y0, DoubleNear(y0, 1e-4)),
                           Field("x1", &Box::x1, DoubleNear(x1, 1e-4)),
                           Field("y1", &Box::y1, DoubleNear(y1, 1e-4)))));
}

Found Decoded(const std::vector<NamedTensor>& outputs, const DetectionHead& head,
              const DetectionInput& input) {
  EXPECT_TRUE(head.Validate().ok()) << head.Validate();
  const absl::StatusOr<Found> found = Decode(outputs, head, input);
  EXPECT_TRUE(found.ok()) << found.status();
  return found.ok() ? *found : Found();
}

std::string Fault(const std::vector<NamedTensor>& outputs, const DetectionHead& head,
                  const DetectionInput& input) {
  return std::string(Decode(outputs, head, input).status().message());
}

DetectionHead Labelled() {
  DetectionHead head = DetectionHead::Of(Kind::kBoxesScoresLabels);
  head.outputs.boxes = "boxes";
  head.outputs.scores = {"scores"};
  head.outputs.labels = "labels";
  return head;
}

DetectionHead Yolo(Kind kind) {
  DetectionHead head = DetectionHead::Of(kind);
  head.outputs.predictions = "out";
  return head;
}

TEST(DecodeTest, BoxesScoresAndLabelsAreTakenAsTheyAre) {
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, 3, 4}, {1, 2, 11, 22, 1, 2, 11, 22, 5, 5, 6, 6}),
      Output("scores", {1, 3}, {0.5F, 0.75F, 0.125F}), Output("labels", {1, 3}, {7, 3, 1})};
  // The two equal boxes stay, since the model has suppressed what it wants to.
  EXPECT_THAT(Decoded(outputs, Labelled(), SameSize(100, 100)),
              ElementsAre(ElementsAre(IsDetection(3, 0.75, 1, 2, 11, 22),
                                      IsDetection(7, 0.5, 1, 2, 11, 22))));
}

TEST(DecodeTest, OneItemNeedsNoDimensionForTheBatch) {
  const std::vector<std::int64_t> labels = {17};
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, 4}, {1, 2, 11, 22}),
      Output("scores", {1}, {0.5F}),
      {"labels", Tensor::FromBytes(DataType::kInt64, {1},
                                   std::string(reinterpret_cast<const char*>(labels.data()), 8))
                     .value()}};
  EXPECT_THAT(Decoded(outputs, Labelled(), SameSize(100, 100)),
              ElementsAre(ElementsAre(IsDetection(17, 0.5, 1, 2, 11, 22))));
  const std::vector<NamedTensor> none = {Output("boxes", {0, 4}, {}), Output("scores", {0}, {}),
                                         Output("labels", {0}, {})};
  EXPECT_THAT(Decoded(none, Labelled(), SameSize(100, 100)), ElementsAre(IsEmpty()));
}

TEST(DecodeTest, TensorFlowsBoxesAreSharesInAnotherOrderAndCounted) {
  DetectionHead head = Labelled();
  head.outputs.count = "count";
  head.box_format = BoxFormat::kYxyx;
  head.normalized = true;
  head.first_class = 1;
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {2, 2, 4},
             {0.1F, 0.2F, 0.5F, 0.6F, 0, 0, 1, 1, 0.25F, 0.5F, 0.75F, 1, 0, 0, 1, 1}),
      Output("scores", {2, 2}, {0.9F, 0.8F, 0.7F, 0.6F}), Output("labels", {2, 2}, {1, 2, 90, 0}),
      Output("count", {2}, {1, 2})};
  // The second row of the first item is not counted, that of the second item is the background.
  EXPECT_THAT(Decoded(outputs, head, SameSize(200, 100, 2)),
              ElementsAre(ElementsAre(IsDetection(0, 0.9, 40, 10, 120, 50)),
                          ElementsAre(IsDetection(89, 0.7, 100, 25, 200, 75))));
}

TEST(DecodeTest, OneTableCanHoldBoxScoreAndLabel) {
  const DetectionHead head = Yolo(Kind::kBoxesScoresLabels);
  const std::vector<NamedTensor> outputs = {
      Output("out", {1, 2, 6}, {1, 2, 11, 22, 0.5F, 3, 0, 0, 5, 5, 0.1F, 4})};
  EXPECT_THAT(Decoded(outputs, head, SameSize(50, 50)),
              ElementsAre(ElementsAre(IsDetection(3, 0.5, 1, 2, 11, 22))));
}

TEST(DecodeTest, AScoreForEachClassIsADetectionEach) {
  DetectionHead head = DetectionHead::Of(Kind::kBoxesScoresPerClass);
  head.outputs.boxes = "boxes";
  head.outputs.scores = {"scores"};
  head.box_format = BoxFormat::kXywh;
  head.activation = Activation::kSoftmax;
  head.first_class = 1;
  const float log2 = std::log(2.0F);
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, 2, 4}, {10, 20, 30, 40, 0, 0, 5, 5}),
      // The softmax of the first row is 1/5, 2/5, 2/5, that of the second 8/10, 1/10, 1/10.
      Output("scores", {1, 2, 3}, {0, log2, log2, 3 * log2, 0, 0})};
  EXPECT_THAT(Decoded(outputs, head, SameSize(100, 100)),
              ElementsAre(ElementsAre(IsDetection(0, 0.4, 10, 20, 40, 60),
                                      IsDetection(1, 0.4, 10, 20, 40, 60))));
}

TEST(DecodeTest, YoloV5MultipliesObjectAndClass) {
  const std::vector<NamedTensor> outputs = {
      Output("out", {1, 3, 7}, {50, 40, 20, 10, 0.8F, 0.5F, 0.25F,  //
                                50, 40, 20, 10, 0.9F, 0.1F, 0.9F,   //
                                50, 40, 20, 10, 0.2F, 1.0F, 1.0F})};
  EXPECT_THAT(Decoded(outputs, Yolo(Kind::kYoloV5), SameSize(100, 100)),
              ElementsAre(ElementsAre(IsDetection(1, 0.81, 40, 35, 60, 45),
                                      IsDetection(0, 0.4, 40, 35, 60, 45))));
}

TEST(DecodeTest, YoloV8HasItsRowsAsColumns) {
  // Three places; the second overlaps the first by 8/12 and gives way, the third is of another
  // class.
  const std::vector<NamedTensor> outputs = {Output("out", {1, 6, 3},
                                                   {20, 22, 20,           // centre x
                                                    30, 30, 30,           // centre y
                                                    10, 10, 10,           // width
                                                    8, 8, 8,              // height
                                                    0.9F, 0.8F, 0.1F,     // class 0
                                                    0.2F, 0.1F, 0.6F})};  // class 1
  EXPECT_THAT(Decoded(outputs, Yolo(Kind::kYoloV8), SameSize(100, 100)),
              ElementsAre(ElementsAre(IsDetection(0, 0.9, 15, 26, 25, 34),
                                      IsDetection(1, 0.6, 15, 26, 25, 34))));
  DetectionHead all = Yolo(Kind::kYoloV8);
  all.suppression = Suppression::kNone;
  EXPECT_THAT(Decoded(outputs, all, SameSize(100, 100)), ElementsAre(SizeIs(3)));
  DetectionHead one = all;
  one.most = 1;
  EXPECT_THAT(Decoded(outputs, one, SameSize(100, 100)), ElementsAre(SizeIs(1)));
  DetectionHead loose = Yolo(Kind::kYoloV8);
  loose.iou_threshold = 0.7;
  EXPECT_THAT(Decoded(outputs, loose, SameSize(100, 100)), ElementsAre(SizeIs(3)));
}

// An input of 16 x 8 with the strides 8 and 16: two points and one.
DetectionHead Distribution() {
  DetectionHead head = DetectionHead::Of(Kind::kDistribution);
  head.outputs.scores = {"s8", "s16"};
  head.outputs.distances = {"d8", "d16"};
  head.strides = {8, 16};
  head.reg_max = 1;
  return head;
}

// With a largest distance of 1 stride, the scores 0 and log(3) are a distance of 3/4.
std::vector<NamedTensor> Distances() {
  const float most = std::log(3.0F);
  return {Output("d8", {1, 2, 8}, {0, 0, 0, 0, 0, 0, 0, 0, 0, most, 0, 0, 0, most, 0, 0}),
          Output("d16", {1, 1, 8}, {0, 0, 0, 0, 0, 0, most, 0})};
}

TEST(DecodeTest, DistancesAreTheMeansOfTheirDistributions) {
  std::vector<NamedTensor> outputs = Distances();
  outputs.push_back(Output("s8", {1, 2, 1}, {0.5F, 0.75F}));
  outputs.push_back(Output("s16", {1, 1, 1}, {0.9F}));
  DetectionHead head = Distribution();
  head.suppression = Suppression::kNone;
  // The points lie at 4, 12 (stride 8) and 8 (stride 16); the boxes are cut off at the picture.
  EXPECT_THAT(
      Decoded(outputs, head, SameSize(16, 8)),
      ElementsAre(ElementsAre(IsDetection(0, 0.9, 0, 0, 16, 8), IsDetection(0, 0.75, 6, 0, 16, 8),
                              IsDetection(0, 0.5, 0, 0, 8, 8))));
  // With 16 rows more below, the last box ends at 8 + 16/4.
  head.cell_offset = 0;
  EXPECT_THAT(
      Decoded(outputs, head, SameSize(16, 8)),
      ElementsAre(ElementsAre(IsDetection(0, 0.9, 0, 0, 8, 4), IsDetection(0, 0.75, 2, 0, 14, 4),
                              IsDetection(0, 0.5, 0, 0, 4, 4))));
}

TEST(DecodeTest, DistributionsComeInAnyArrangement) {
  std::vector<NamedTensor> apart = Distances();
  apart.push_back(Output("s8", {1, 2, 2}, {0, -9, 2, -9}));
  apart.push_back(Output("s16", {1, 1, 2}, {-9, 1}));
  DetectionHead head = Distribution();
  head.activation = Activation::kSigmoid;
  const Found expected = Decoded(apart, head, SameSize(16, 8));
  ASSERT_THAT(expected, ElementsAre(SizeIs(3)));
  EXPECT_THAT(expected[0][0], IsDetection(0, 1 / (1 + std::exp(-2.0)), 6, 0, 16, 8));

  const auto expect_same = [&](const std::vector<NamedTensor>& outputs, const DetectionHead& how) {
    const Found found = Decoded(outputs, how, SameSize(16, 8));
    ASSERT_THAT(found, ElementsAre(SizeIs(3)));
    for (std::size_t i = 0; i < 3; ++i) {
      const Detection& same = expected[0][i];
      EXPECT_THAT(found[0][i], IsDetection(same.class_index, same.score, same.box.x0, same.box.y0,
                                           same.box.x1, same.box.y1));
    }
  };
  // Channels first, as a convolution gives them.
  const float most = std::log(3.0F);
  std::vector<NamedTensor> planes = {
      Output("d8", {1, 8, 1, 2}, {0, 0, 0, most, 0, 0, 0, 0, 0, 0, 0, most, 0, 0, 0, 0}),
      Output("d16", {1, 8, 1, 1}, {0, 0, 0, 0, 0, 0, most, 0}),
      Output("s8", {1, 2, 1, 2}, {0, 2, -9, -9}), Output("s16", {1, 2, 1, 1}, {-9, 1})};
  expect_same(planes, head);
  // All points in one tensor, and scores and distances in one.
  DetectionHead whole = head;
  whole.outputs = {};
  whole.outputs.predictions = "all";
  expect_same({Output("all", {1, 3, 10}, {0,  -9, 0, 0,    0, 0, 0, 0,    0,    0,  //
                                          2,  -9, 0, most, 0, 0, 0, most, 0,    0,  //
                                          -9, 1,  0, 0,    0, 0, 0, 0,    most, 0})},
              whole);
}

TEST(DecodeTest, BoxesComeInThePicturesPixels) {
  DetectionInput input = SameSize(100, 100);
  // A picture of 400 x 200 in a letterbox: 100 x 50 with 25 rows above.
  input.pictures[0].upright = {400, 200};
  input.pictures[0].scale_x = input.pictures[0].scale_y = 4;
  input.pictures[0].offset_y = -100;
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, 3, 4}, {10, 30, 20, 50, -5, 20, 50, 80, 10, 5, 20, 20}),
      Output("scores", {1, 3}, {0.9F, 0.8F, 0.7F}), Output("labels", {1, 3}, {0, 1, 2})};
  // The second is cut off, the third lies in the padding.
  EXPECT_THAT(Decoded(outputs, Labelled(), input),
              ElementsAre(ElementsAre(IsDetection(0, 0.9, 40, 20, 80, 100),
                                      IsDetection(1, 0.8, 0, 0, 200, 200))));
}

TEST(DecodeTest, WhatMakesNoSenseIsLeftOut) {
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, 9, 4},
             {kNan, 2,  11, 22, 1,  2,  kInfinity, 22, 11, 2,  1, 22, 1,  2,  1, 22, 1,  2,
              11,   22, 1,  2,  11, 22, 1,         2,  11, 22, 1, 2,  11, 22, 1, 2,  11, 22}),
      Output("scores", {1, 9}, {0.9F, 0.9F, 0.9F, 0.9F, kNan, 7, -1, 0.9F, 0.9F}),
      Output("labels", {1, 9}, {0, 0, 0, 0, 0, 0, 0, 0.5F, -1})};
  EXPECT_THAT(Decoded(outputs, Labelled(), SameSize(50, 50)), ElementsAre(IsEmpty()));
  DetectionHead everything = Labelled();
  everything.score_threshold = 0;
  EXPECT_THAT(Decoded(outputs, everything, SameSize(50, 50)), ElementsAre(IsEmpty()));

  DetectionHead named = Labelled();
  named.classes = 3;
  const std::vector<NamedTensor> beyond = {Output("boxes", {1, 2, 4}, {1, 2, 3, 4, 1, 2, 3, 4}),
                                           Output("scores", {1, 2}, {0.9F, 0.8F}),
                                           Output("labels", {1, 2}, {3, 2})};
  EXPECT_THAT(Decoded(beyond, named, SameSize(50, 50)),
              ElementsAre(ElementsAre(IsDetection(2, 0.8, 1, 2, 3, 4))));
}

TEST(DecodeTest, NonsenseInsideOtherHeadsIsLeftOutToo) {
  const std::vector<NamedTensor> yolo = {
      Output("out", {1, 4, 6}, {50, 40, 20,   10, kNan, 0.9F, 50, 40, 20, 10, 0.9F,  kNan,
                                50, 40, kNan, 10, 0.9F, 0.9F, 50, 40, 20, 10, 1e30F, 1e-30F})};
  EXPECT_THAT(Decoded(yolo, Yolo(Kind::kYoloV5), SameSize(99, 99)), ElementsAre(IsEmpty()));

  std::vector<NamedTensor> outputs = {
      Output("d8", {1, 2, 8}, {kNan, 0, 0, 0, 0, 0, 0, 0, 0, kInfinity, 0, 0, 0, 0, 0, 0}),
      Output("d16", {1, 1, 8}, {0, 0, 0, 0, 0, 0, 0, 0}), Output("s8", {1, 2, 1}, {0.9F, 0.9F}),
      Output("s16", {1, 1, 1}, {kNan})};
  EXPECT_THAT(Decoded(outputs, Distribution(), SameSize(16, 8)), ElementsAre(IsEmpty()));
}

TEST(DecodeTest, NoOutputTakesLong) {
  constexpr std::int64_t kRows = 30'000;
  std::vector<float> boxes;
  for (std::int64_t i = 0; i < kRows; ++i) {
    const auto x = static_cast<float>(i);
    boxes.insert(boxes.end(), {x, 0, x + 1, 1});
  }
  DetectionHead head = DetectionHead::Of(Kind::kBoxesScoresPerClass);
  head.outputs.boxes = "boxes";
  head.outputs.scores = {"scores"};
  head.most = kMostDetections;
  const std::vector<NamedTensor> outputs = {
      Output("boxes", {1, kRows, 4}, std::move(boxes)),
      Output("scores", {1, kRows, 2}, std::vector<float>(2 * kRows, 0.5F))};
  EXPECT_THAT(Decoded(outputs, head, SameSize(kRows, 10)), ElementsAre(SizeIs(4096)));
}

TEST(DecodeTest, HalvesAreRead) {
  // 0.5 is 0x3800, 8 is 0x4800, 4 is 0x4400, infinity is 0x7C00.
  const std::vector<std::uint16_t> halves = {0x4800, 0x4800, 0x4400, 0x4400, 0x3800,
                                             0x7C00, 0x4800, 0x4400, 0x4400, 0x3800};
  std::vector<std::uint16_t> columns;
  for (int column = 0; column < 5; ++column) {
    columns.push_back(halves[column]);
    columns.push_back(halves[column + 5]);
  }
  const std::vector<NamedTensor> outputs = {
      {"out", Tensor::FromBytes(DataType::kFloat16, {1, 5, 2},
                                std::string(reinterpret_cast<const char*>(columns.data()), 20))
                  .value()}};
  EXPECT_THAT(Decoded(outputs, Yolo(Kind::kYoloV8), SameSize(50, 50)),
              ElementsAre(ElementsAre(IsDetection(0, 0.5, 6, 6, 10, 10))));
}

TEST(DecodeTest, WhatDoesNotFitTheHeadIsNamed) {
  const DetectionInput input = SameSize(16, 8);
  const NamedTensor out = Output("out", {1, 6, 3}, std::vector<float>(18));
  const DetectionHead v8 = Yolo(Kind::kYoloV8);
  EXPECT_THAT(Fault({}, v8, input), AllOf(HasSubstr("output 'out'"), HasSubstr("no such output")));
  EXPECT_THAT(Fault({Output("out", {6, 3}, std::vector<float>(18))}, v8, input),
              AllOf(HasSubstr("output 'out': found shape 6x3"), HasSubstr("dimensions")));
  EXPECT_THAT(Fault({Output("out", {1, 4, 3}, std::vector<float>(12))}, v8, input),
              HasSubstr("which are 0 classes"));
  EXPECT_THAT(Fault({out}, v8, SameSize(16, 8, 2)),
              AllOf(HasSubstr("outputs of 1 items"), HasSubstr("expected 2")));
  DetectionHead named = v8;
  named.classes = 80;
  EXPECT_THAT(Fault({out}, named, input),
              AllOf(HasSubstr("scores of 2 classes"), HasSubstr("expected 80")));
  EXPECT_THAT(Fault({{"out", Tensor::Zeros(DataType::kBool, {1, 6, 3}).value()}}, v8, input),
              AllOf(HasSubstr("found BOOL"), HasSubstr("expected numbers")));
  EXPECT_THAT(Fault({Output("boxes", {1, 2, 4}, std::vector<float>(8)),
                     Output("scores", {1, 3}, {0, 0, 0}), Output("labels", {1, 2}, {0, 0})},
                    Labelled(), input),
              AllOf(HasSubstr("output 'scores': found shape 1x3"), HasSubstr("expected 1 x 2")));
  EXPECT_THAT(Fault({Output("boxes", {1, 2, 5}, std::vector<float>(10))}, Labelled(), input),
              AllOf(HasSubstr("output 'boxes'"), HasSubstr("expected 4")));
  std::vector<NamedTensor> points = Distances();
  points.push_back(Output("s8", {1, 3, 1}, {0, 0, 0}));
  points.push_back(Output("s16", {1, 1, 1}, {0}));
  EXPECT_THAT(Fault(points, Distribution(), input),
              AllOf(HasSubstr("output 's8': found shape 1x3x1"), HasSubstr("2 points")));
  DetectionHead wider = Distribution();
  wider.reg_max = 7;
  points[2] = Output("s8", {1, 2, 1}, {0, 0});
  EXPECT_THAT(Fault(points, wider, input),
              AllOf(HasSubstr("output 'd8'"), HasSubstr("at least 32 values")));
  EXPECT_THAT(Fault({out}, DetectionHead(), input), HasSubstr("detections.kind: found none"));
}

}  // namespace
}  // namespace cleave
