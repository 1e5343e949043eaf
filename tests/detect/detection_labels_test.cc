#include "detect/detection_labels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "core/file.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DetectionLabelsTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, absl::string_view text) const {
    std::string path = temp_.path() + "/" + name;
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return path;
  }

  std::string Error(absl::string_view json, const ModelClasses& classes = {}) const {
    const auto labels = DetectionLabels::Open(Write("labels.json", json), classes);
    return labels.ok() ? "" : std::string(labels.status().message());
  }

  const testing::TempDir temp_;
};

constexpr absl::string_view kCoco = R"({
  "info": {"year": 2017}, "licenses": [],
  "images": [{"id": 7, "file_name": "b.jpg", "width": 100, "height": 50, "coco_url": "u"},
             {"id": 3, "file_name": "a.jpg", "width": 10, "height": 10}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 44, "bbox": [10, 20, 30.5, 4], "area": 122,
     "segmentation": [[1, 2, 3]], "iscrowd": 0},
    {"id": 2, "image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1], "iscrowd": 1}],
  "categories": [{"id": 44, "name": "Dog", "supercategory": "animal"}, {"id": 2, "name": "cat"}]})";

TEST_F(DetectionLabelsTest, ReadsCoco) {
  const auto labels = DetectionLabels::Open(Write("labels.json", kCoco), {});
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels->pictures(), ElementsAre("a.jpg", "b.jpg"));
  EXPECT_TRUE(labels->BoxesOf("a.jpg", {10, 10})->empty());
  const auto boxes = labels->BoxesOf("b.jpg", {100, 50});
  ASSERT_TRUE(boxes.ok());
  ASSERT_EQ(boxes->size(), 2U);
  const TrueBox& first = boxes->front();
  EXPECT_EQ(first.class_index, 1);  // Its id is the greater one.
  EXPECT_FALSE(first.crowd);
  EXPECT_EQ(first.box.x0, 10);
  EXPECT_EQ(first.box.y0, 20);
  EXPECT_EQ(first.box.x1, 40.5);
  EXPECT_EQ(first.box.y1, 24);
  EXPECT_TRUE(boxes->back().crowd);
  EXPECT_EQ(boxes->back().class_index, 0);
}

TEST_F(DetectionLabelsTest, MatchesCategoriesByTheNamesOfTheModelsClasses) {
  const auto labels =
      DetectionLabels::Open(Write("labels.json", kCoco), {{"bird", "dog", "horse", "cat"}, {}});
  ASSERT_TRUE(labels.ok()) << labels.status();
  const auto boxes = labels->BoxesOf("b.jpg", {100, 50});
  EXPECT_EQ(boxes->front().class_index, 1);
  EXPECT_EQ(boxes->back().class_index, 3);
  EXPECT_THAT(Error(kCoco, {{"dog"}, {}}), HasSubstr("category 2: found the name 'cat'"));
  EXPECT_THAT(Error(kCoco, {{}, 1}), HasSubstr("found 2 of them, expected 1 at most"));
}

TEST_F(DetectionLabelsTest, RefusesWhatIsNoCoco) {
  EXPECT_THAT(Error("[1]"), HasSubstr("labels.json"));
  EXPECT_THAT(Error("{}"), HasSubstr("categories"));
  const std::string head =
      R"({"images": [{"id": 1, "file_name": "a.jpg"}], "categories": [{"id": 1, "name": "cat"}], )";
  EXPECT_EQ(Error(head + R"("annotations": []})"), "");
  EXPECT_THAT(Error(head + R"("annotations": [{"image_id": 2, "category_id": 1,
                              "bbox": [0, 0, 1, 1]}]})"),
              HasSubstr("annotations[0].image_id: found 2"));
  EXPECT_THAT(Error(head + R"("annotations": [{"image_id": 1, "category_id": 9,
                              "bbox": [0, 0, 1, 1]}]})"),
              HasSubstr("annotations[0].category_id: found 9"));
  EXPECT_THAT(Error(head + R"("annotations": [{"image_id": 1, "category_id": 1,
                              "bbox": [0, 0, -1, 1]}]})"),
              HasSubstr("annotations[0].bbox: found -1 x 1"));
  EXPECT_THAT(Error(head + R"("annotations": [{"image_id": 1, "category_id": 1,
                              "bbox": [0, 0, 1e300, 1]}]})"),
              HasSubstr("annotations[0].bbox"));
  EXPECT_THAT(Error(R"({"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}],
                        "categories": [{"id": 1, "name": "cat"}], "annotations": []})"),
              HasSubstr("images[1].id: found 1 twice"));
  EXPECT_THAT(Error(R"({"images": [{"id": 1, "file_name": "a"}], "annotations": [],
                        "categories": [{"id": 1, "name": "x"}, {"id": 1, "name": "y"}]})"),
              HasSubstr("the id 1 twice"));
}

TEST_F(DetectionLabelsTest, ReadsYolosTextFiles) {
  Write("b.txt", "1 0.5 0.5 0.2 0.4\r\n\n0 0.1 0.1 0.2 0.2\n");
  const auto labels = DetectionLabels::Open(temp_.path(), {{"cat", "dog"}, {}});
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_FALSE(labels->pictures());
  const auto boxes = labels->BoxesOf("b.jpg", {100, 50});
  ASSERT_TRUE(boxes.ok()) << boxes.status();
  ASSERT_EQ(boxes->size(), 2U);
  EXPECT_EQ(boxes->front().class_index, 1);
  EXPECT_NEAR(boxes->front().box.x0, 40, 1e-9);
  EXPECT_NEAR(boxes->front().box.y0, 15, 1e-9);
  EXPECT_NEAR(boxes->front().box.x1, 60, 1e-9);
  EXPECT_NEAR(boxes->front().box.y1, 35, 1e-9);
  EXPECT_TRUE(labels->BoxesOf("none.jpg", {100, 50})->empty());
}

TEST_F(DetectionLabelsTest, RefusesWhatIsNoYoloText) {
  const auto error = [](absl::string_view text) {
    const auto boxes = ReadYoloBoxes(text, {{"cat", "dog"}, {}}, {10, 10}, "f.txt");
    return boxes.ok() ? "" : std::string(boxes.status().message());
  };
  EXPECT_THAT(error("0 0.5 0.5 0.1\n"), HasSubstr("f.txt:1: found '0 0.5 0.5 0.1'"));
  EXPECT_THAT(error("0 1 1 1 1\n0 0.5 0.5 0.1 nan\n"), HasSubstr("f.txt:2"));
  EXPECT_THAT(error("0 0.5 0.5 0.1 1.5"), HasSubstr("shares of 0 to 1"));
  EXPECT_THAT(error("x 0.5 0.5 0.1 0.5"), HasSubstr("f.txt:1"));
  EXPECT_THAT(error("2 0.5 0.5 0.1 0.5"), HasSubstr("found class 2, expected 0 to 1"));
  EXPECT_THAT(error("-1 0.5 0.5 0.1 0.5"), HasSubstr("found class -1"));
}

}  // namespace
}  // namespace cleave
