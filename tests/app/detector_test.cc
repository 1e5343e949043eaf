#include "app/detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "codec/picture.h"
#include "core/file.h"

namespace cleave::app {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const std::vector<TensorSpec> kPicture = {{"image", DataType::kFloat32, {-1, 3, 32, 32}}};

// 32 x 32 has 16, 4 and 1 points of the strides 8, 16 and 32.
NamedTensor Yolo() {
  std::vector<float> values(5 * 21);
  const std::vector<float> row = {16, 8, 8, 4, 0.9F};
  for (std::size_t i = 0; i < row.size(); ++i) values[i * 21] = row[i];
  return {"output0", Tensor::FromFloats({1, 5, 21}, values).value()};
}

DetectorOptions Model(const std::string& name, const std::string& sidecar) {
  DetectorOptions options;
  options.model_path = ::testing::TempDir() + "/" + name + ".onnx";
  if (!sidecar.empty()) {
    EXPECT_TRUE(WriteFileAtomically(options.model_path + ".json", sidecar).ok());
  }
  return options;
}

TEST(DetectorTest, UsesAnUnmistakableShapeAndThePicturesPixels) {
  const auto detector =
      Detector::Open(kPicture, Model("yolo", R"({"preprocessing": {"fit": "stretch"}})"));
  ASSERT_TRUE(detector.ok() && detector->has_value()) << detector.status();
  RgbImage picture({64, 320});
  const PictureFile file = {"a.jpg", EncodeJpeg(picture, 90).value()};
  const auto found = (*detector)->Find({Yolo()}, {file}, 1);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  ASSERT_THAT(**found, ElementsAre(SizeIs(1)));
  const Box& box = (**found)[0][0].box;
  EXPECT_DOUBLE_EQ(box.x0, 24);
  EXPECT_DOUBLE_EQ(box.x1, 40);
  EXPECT_DOUBLE_EQ(box.y0, 60);
  EXPECT_DOUBLE_EQ(box.y1, 100);
  // Without a picture it is the input's pixels.
  const auto raw = (*detector)->Find({Yolo()}, {}, 1);
  ASSERT_TRUE(raw.ok() && raw->has_value()) << raw.status();
  EXPECT_DOUBLE_EQ((**raw)[0][0].box.y0, 6);
}

TEST(DetectorTest, FlagsTakeThePlaceOfTheSidecars) {
  DetectorOptions options = Model("yolo_flags", "");
  options.score_threshold = 0.95;
  const auto strict = Detector::Open(kPicture, options);
  ASSERT_TRUE(strict.ok() && strict->has_value()) << strict.status();
  const auto found = (*strict)->Find({Yolo()}, {}, 1);
  ASSERT_TRUE(found.ok() && found->has_value()) << found.status();
  EXPECT_THAT(**found, ElementsAre(IsEmpty()));
  options.score_threshold = 1.5;
  EXPECT_THAT(std::string(Detector::Open(kPicture, options).status().message()),
              HasSubstr("--score-threshold"));
}

TEST(DetectorTest, OtherOutputsStayTensors) {
  const auto detector = Detector::Open(kPicture, Model("classes", ""));
  ASSERT_TRUE(detector.ok() && detector->has_value()) << detector.status();
  const auto found = (*detector)->Find({{"y", Tensor::FromFloats({1, 2}, {1, 2}).value()}}, {}, 1);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_FALSE(found->has_value());
  const auto off = Detector::Open(kPicture, Model("off", R"({"detections": {"kind": "none"}})"));
  ASSERT_TRUE(off.ok()) << off.status();
  EXPECT_FALSE(off->has_value());
  const auto text = Detector::Open({{"ids", DataType::kInt64, {-1, 8}}}, Model("text", ""));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_FALSE(text->has_value());
}

TEST(DetectorTest, LabelsHaveToFit) {
  DetectorOptions options = Model("yolo_labels", "");
  options.labels = {"cat", "dog"};
  const auto detector = Detector::Open(kPicture, options);
  ASSERT_TRUE(detector.ok() && detector->has_value()) << detector.status();
  EXPECT_THAT(std::string((*detector)->Find({Yolo()}, {}, 1).status().message()),
              HasSubstr("found scores of 1 classes, expected 2"));
}

TEST(KindOfModelTest, SaysWhatItBelieves) {
  const std::string none = ::testing::TempDir() + "/no_such.onnx";
  const auto yolo = KindOfModel(none, kPicture, {{"output0", DataType::kFloat32, {1, 5, 21}}});
  ASSERT_TRUE(yolo.ok()) << yolo.status();
  EXPECT_TRUE(yolo->detects);
  EXPECT_EQ(KindLines(*yolo),
            "outputs: a YOLOv8 or YOLO11 head of 1 classes, as their names and shapes look\n");
  const auto scored =
      KindOfModel(none, kPicture,
                  {{"s", DataType::kFloat32, {1, 99, 2}}, {"b", DataType::kFloat32, {1, 99, 4}}});
  ASSERT_TRUE(scored.ok()) << scored.status();
  EXPECT_FALSE(scored->detects);
  EXPECT_THAT(KindLines(*scored), HasSubstr("\"kind\":\"boxes_scores_per_class\""));
  const auto classes = KindOfModel(none, kPicture, {{"y", DataType::kFloat32, {-1, 10}}});
  ASSERT_TRUE(classes.ok()) << classes.status();
  EXPECT_EQ(classes->text, "scores of 10 classes");
  const auto other = KindOfModel(none, kPicture, {{"m", DataType::kFloat32, {1, 1, 9, 9}}});
  ASSERT_TRUE(other.ok()) << other.status();
  EXPECT_EQ(KindLines(*other), "");
  const std::string said = Model("said", R"({"detections": {"kind": "yolo_v8",
                                             "outputs": {"predictions": "o"}}})")
                               .model_path;
  const auto sidecar = KindOfModel(said, kPicture, {});
  ASSERT_TRUE(sidecar.ok()) << sidecar.status();
  EXPECT_TRUE(sidecar->detects);
  EXPECT_THAT(KindLines(*sidecar), HasSubstr("as the sidecar says"));
}

}  // namespace
}  // namespace cleave::app
