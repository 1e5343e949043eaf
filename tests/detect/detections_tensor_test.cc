#include "detect/detections_tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "detect/detection_head.h"
#include "detect/outputs.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Output;
using ::testing::SizeIs;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

Tensor Rows(std::vector<float> values, std::int64_t columns = 7) {
  const auto rows = static_cast<std::int64_t>(values.size()) / columns;
  return Output("detections", {rows, columns}, std::move(values)).tensor;
}

std::string Fault(const Tensor& tensor, std::int64_t items) {
  return std::string(DetectionsOf(tensor, items).status().message());
}

TEST(DetectionsTensorTest, GivesBackWhatItWasMadeOf) {
  const BatchDetections found = {
      {{{1, 2, 3, 4}, 7, 0.5}, {{-2, 0.25, 9, 11}, 0, 0.25}}, {}, {{{0, 0, 1, 1}, 79, 1}}};
  const Tensor tensor = DetectionsTensor(found);
  EXPECT_THAT(tensor.shape(), ElementsAre(3, 7));
  const auto back = DetectionsOf(tensor, 3);
  ASSERT_TRUE(back.ok()) << back.status();
  ASSERT_THAT(*back, ElementsAre(SizeIs(2), IsEmpty(), SizeIs(1)));
  for (std::size_t item = 0; item < found.size(); ++item) {
    for (std::size_t i = 0; i < found[item].size(); ++i) {
      const Detection& sent = found[item][i];
      const Detection& got = (*back)[item][i];
      EXPECT_EQ(got.class_index, sent.class_index);
      EXPECT_EQ(got.score, sent.score);
      EXPECT_EQ(got.box.x0, sent.box.x0);
      EXPECT_EQ(got.box.y0, sent.box.y0);
      EXPECT_EQ(got.box.x1, sent.box.x1);
      EXPECT_EQ(got.box.y1, sent.box.y1);
    }
  }
}

TEST(DetectionsTensorTest, NothingFoundIsATensorWithoutRows) {
  const Tensor tensor = DetectionsTensor({{}, {}});
  EXPECT_THAT(tensor.shape(), ElementsAre(0, 7));
  const auto back = DetectionsOf(tensor, 2);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_THAT(*back, ElementsAre(IsEmpty(), IsEmpty()));
}

TEST(DetectionsTensorTest, ABoxThatRoundingLeavesWithoutAreaOrEndIsLeftOut) {
  EXPECT_THAT(DetectionsTensor({{{{0, 0, 1e300, 1}, 0, 0.5}}}).shape(), ElementsAre(0, 7));
  const Tensor tensor = DetectionsTensor({{{{1, 1, 1 + 1e-12, 2}, 0, 0.5}, {{1, 1, 2, 2}, 0, 1}}});
  EXPECT_THAT(tensor.shape(), ElementsAre(1, 7));
  EXPECT_TRUE(DetectionsOf(tensor, 1).ok());
}

TEST(DetectionsTensorTest, EveryValueOfAStrangerIsChecked) {
  EXPECT_TRUE(DetectionsOf(Rows({0, 3, 0.5F, 1, 2, 3, 4}), 1).ok());
  EXPECT_THAT(Fault(Rows({1, 3, 0.5F, 1, 2, 3, 4}), 1),
              HasSubstr("detections[0].item: found 1, expected a whole number of 0 to 0"));
  EXPECT_THAT(Fault(Rows({0.5F, 3, 0.5F, 1, 2, 3, 4}), 2), HasSubstr("detections[0].item"));
  EXPECT_THAT(Fault(Rows({kNan, 3, 0.5F, 1, 2, 3, 4}), 1), HasSubstr("detections[0].item"));
  EXPECT_THAT(Fault(Rows({1, 3, 0.5F, 1, 2, 3, 4, 0, 3, 0.5F, 1, 2, 3, 4}), 2),
              HasSubstr("detections[1].item: found 0, expected a whole number of 1 to 1"));
  EXPECT_THAT(Fault(Rows({0, -1, 0.5F, 1, 2, 3, 4}), 1), HasSubstr("detections[0].class"));
  EXPECT_THAT(Fault(Rows({0, 1e30F, 0.5F, 1, 2, 3, 4}), 1), HasSubstr("detections[0].class"));
  EXPECT_THAT(Fault(Rows({0, 3, kNan, 1, 2, 3, 4}), 1), HasSubstr("detections[0].score"));
  EXPECT_THAT(Fault(Rows({0, 3, 1.5F, 1, 2, 3, 4}), 1),
              HasSubstr("detections[0].score: found 1.5, expected 0 to 1"));
  EXPECT_THAT(Fault(Rows({0, 3, 0.5F, 1, kNan, 3, 4}), 1), HasSubstr("detections[0].y0"));
  EXPECT_THAT(Fault(Rows({0, 3, 0.5F, 3, 2, 3, 4}), 1), HasSubstr("a box with an area"));
  EXPECT_THAT(Fault(Rows({0, 3, 0.5F, 1, 2, 3}, 6), 1),
              HasSubstr("detections: found shape 1x6, expected rows of 7"));
  EXPECT_THAT(Fault(*Tensor::Zeros(DataType::kInt32, {1, 7}), 1),
              HasSubstr("detections: found INT32, expected FP32"));
  EXPECT_THAT(Fault(*Tensor::Zeros(DataType::kFloat32, {kMostDetections + 1, 7}), 1),
              HasSubstr("4097 rows"));
}

}  // namespace
}  // namespace cleave
