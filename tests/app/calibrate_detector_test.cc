#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/calibrate.h"
#include "app/calibrate_report.h"
#include "core/file.h"
#include "model/graph.h"
#include "support/cell_detector.h"
#include "support/temp_dir.h"

namespace cleave::app {
namespace {

using testing::CellDetector;
using ::testing::HasSubstr;
using Json = nlohmann::json;

// The pictures have a red cell, a green one, and none.
class CalibrateDetectorTest : public ::testing::Test {
 protected:
  CalibrateDetectorTest() {
    WritePicture("red", 0, 1, 1);
    WritePicture("green", 1, 2, 2);
    WritePicture("nothing", 2, 1, 2);  // It is blue.
  }

  std::string Write(const std::string& name, absl::string_view bytes) const {
    std::string path = folder_ + "/" + name;
    EXPECT_TRUE(WriteFileAtomically(path, bytes).ok());
    return path;
  }

  void WritePicture(const std::string& name, int channel, int column, int row) const {
    Write("data/" + name + ".jpg", CellDetector::Picture(channel, column, row));
  }

  CalibrateOptions Options() const {
    CalibrateOptions options;
    options.model = model_;
    options.data.data = folder_ + "/data";
    options.cuts.kind = CandidateSpec::Kind::kAll;
    return options;
  }

  static AccuracyTable Run(const CalibrateOptions& options) {
    auto calibration = Calibrate(options);
    EXPECT_TRUE(calibration.ok()) << calibration.status();
    return std::move(calibration)->table;
  }

  std::string Error(const std::string& labels) const {
    CalibrateOptions options = Options();
    options.data.labels = labels;
    return std::string(Calibrate(options).status().message());
  }

  const testing::TempDir temp_;
  const std::string folder_ = temp_.path();
  const std::string model_ = CellDetector::Write(folder_);
};

TEST_F(CalibrateDetectorTest, WithoutLabelsItsOwnDetectionsAreTheTruth) {
  const AccuracyTable table = Run(Options());
  EXPECT_EQ(table.about().metric, AccuracyTable::Metric::kMeanAveragePrecision);
  EXPECT_FALSE(table.about().labels);
  EXPECT_EQ(table.about().samples, 3);
  EXPECT_EQ(table.best_accuracy(), 1);
  const AccuracyRow* middle = table.Find({0, 1, Encoding::kQ8});
  ASSERT_NE(middle, nullptr);
  ASSERT_TRUE(middle->detection);
  EXPECT_EQ(middle->detection->at_50, 1);
  EXPECT_GT(table.AccuracyOf(*middle), 0.9);
  EXPECT_GT(middle->bytes, 3 * CellDetector::kSide * CellDetector::kSide);
}

TEST_F(CalibrateDetectorTest, ComparesWithLabelsInCocosFormat) {
  CalibrateOptions options = Options();
  // The middle of the red cell is (12, 12); the green one's label is somewhere else.
  options.data.labels = Write("labels.json", R"({
    "images": [{"id": 1, "file_name": "red.jpg"}, {"id": 2, "file_name": "green.jpg"},
               {"id": 3, "file_name": "elsewhere.jpg"}],
    "categories": [{"id": 1, "name": "green"}, {"id": 2, "name": "red"}],
    "annotations": [{"image_id": 1, "category_id": 2, "bbox": [4, 4, 16, 16]},
                    {"image_id": 2, "category_id": 1, "bbox": [0, 0, 3, 3]}]})");
  const AccuracyTable table = Run(options);
  EXPECT_TRUE(table.about().labels);
  EXPECT_EQ(table.about().samples, 2);
  EXPECT_DOUBLE_EQ(table.best_accuracy(), 0.5);
}

TEST_F(CalibrateDetectorTest, ComparesWithYolosTextFiles) {
  Write("labels/red.txt", "0 0.375 0.375 0.5 0.5\n");
  CalibrateOptions options = Options();
  options.data.labels = folder_ + "/labels";
  const AccuracyTable table = Run(options);
  EXPECT_EQ(table.about().samples, 3);
  EXPECT_DOUBLE_EQ(table.best_accuracy(), 1);
  const std::string digest = table.about().data_digest;
  Write("labels/red.txt", "0 0.375 0.375 0.4 0.5\n");
  EXPECT_NE(Run(options).about().data_digest, digest);
}

TEST_F(CalibrateDetectorTest, RefusesLabelsThatAreNotOfThesePictures) {
  EXPECT_THAT(Error("folders"), HasSubstr("labels: found folders"));
  EXPECT_THAT(Error(folder_ + "/none"), HasSubstr("none: no such file"));
  EXPECT_THAT(Error(folder_), HasSubstr("found no label of any of the pictures"));
  EXPECT_THAT(Error(Write("other.json", R"({"images": [{"id": 1, "file_name": "other.jpg"}],
                            "categories": [{"id": 1, "name": "red"}], "annotations": []})")),
              HasSubstr("found 1 pictures, of which none is below"));
  EXPECT_THAT(Error(Write("empty.json", R"({"images": [{"id": 1, "file_name": "red.jpg"}],
                            "categories": [{"id": 1, "name": "red"}], "annotations": []})")),
              HasSubstr("found no object in any of the pictures, expected labels"));
}

TEST_F(CalibrateDetectorTest, IsStoredAndReported) {
  CalibrateOptions options = Options();
  const auto calibration = Calibrate(options);
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  ASSERT_TRUE(calibration->table.Save(model_).ok());
  const auto stored = AccuracyTable::Load(model_, (*Graph::Load(model_))->digest());
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(stored->ToJson(), calibration->table.ToJson());
  const Json json = Json::parse(CalibrationJson(*calibration));
  EXPECT_EQ(json["metric"], "mean_average_precision");
  for (const Json& row : json["rows"]) {
    EXPECT_GE(row["accuracy_at_50"], row["accuracy"]);
    EXPECT_FALSE(row.contains("right"));
  }
  EXPECT_THAT(CalibrationText(*calibration), HasSubstr("100.0/100.0 x"));
  EXPECT_THAT(CalibrationText(*calibration),
              HasSubstr("against the model's own detections in full precision"));
}

}  // namespace
}  // namespace cleave::app
