#include "app/filter_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "app/detector_cuts.h"
#include "app/filter_report.h"
#include "app/filter_threshold.h"
#include "core/file.h"
#include "support/bright_detector.h"
#include "support/temp_dir.h"

namespace cleave::app {
namespace {

using testing::BrightDetector;
using testing::BrightDetectorSidecar;
using ::testing::HasSubstr;
using testing::NightPicture;

// A detector of bright squares, and pictures of which half have one.
class FilterFitAppTest : public ::testing::Test {
 protected:
  FilterFitAppTest() {
    model_ = folder_.Write("net.onnx", BrightDetector());
    folder_.Write("net.json", BrightDetectorSidecar());
    std::mt19937_64 random(1);
    for (int i = 0; i < 80; ++i) {
      folder_.Write(absl::StrCat("night", i, ".png"), NightPicture(i % 2 == 0, random));
    }
  }

  FilterFitRequest Request() const {
    FilterFitRequest request;
    request.model = model_;
    request.data.data = folder_.path();
    request.data.crops = 2;
    request.most_lost = 0.05;
    return request;
  }

  std::string Error(const FilterFitRequest& request) const {
    return std::string(FitFilterOf(request).status().message());
  }

  const testing::TempDir folder_;
  std::string model_;
};

TEST_F(FilterFitAppTest, FitsAFilterToTheDetectionsWithoutLabels) {
  const auto fit = FitFilterOf(Request());
  ASSERT_TRUE(fit.ok()) << fit.status();
  EXPECT_EQ(fit->about.fitted.samples, 240);
  EXPECT_EQ(fit->about.score_threshold, 0.5);
  ASSERT_LT(fit->chosen, fit->tried.size());
  const TriedFilter& chosen = fit->tried[fit->chosen];
  EXPECT_EQ(chosen.cut, fit->about.cut);
  for (const TriedFilter& tried : fit->tried) {
    EXPECT_LE(tried.WorkSpared(), chosen.WorkSpared());
    EXPECT_LE(static_cast<double>(tried.threshold.lost),
              0.05 * static_cast<double>(tried.threshold.occupied));
    EXPECT_EQ(tried.threshold.occupied + tried.threshold.empty, 240);
  }
  // What is bright is plain to see.
  EXPECT_GT(static_cast<double>(chosen.threshold.spared),
            0.9 * static_cast<double>(chosen.threshold.empty));
  const std::string bytes = FilterFile::Write(fit->about, fit->parameters);
  EXPECT_TRUE(FilterFile::Read(bytes, "f").ok());
  const auto json = nlohmann::json::parse(FilterFitJson(*fit));
  EXPECT_EQ(json["tried"].size(), fit->tried.size());
  EXPECT_EQ(json["tried"][fit->chosen]["chosen"], true);
  EXPECT_THAT(FilterFitText(*fit), HasSubstr("240 pictures and crops"));
}

TEST_F(FilterFitAppTest, TheSamePicturesGiveTheSameFilter) {
  const auto one = FitFilterOf(Request());
  const auto two = FitFilterOf(Request());
  ASSERT_TRUE(one.ok() && two.ok()) << one.status() << two.status();
  EXPECT_EQ(FilterFile::Write(one->about, one->parameters),
            FilterFile::Write(two->about, two->parameters));
}

TEST_F(FilterFitAppTest, LowerScoresThanItWasFittedToAreRefused) {
  const auto fit = FitFilterOf(Request());
  ASSERT_TRUE(fit.ok()) << fit.status();
  folder_.Write("net.filter", FilterFile::Write(fit->about, fit->parameters));
  DetectorOptions detector;
  detector.model_path = model_;
  EXPECT_TRUE(CheckFilterThreshold("", detector).ok());
  detector.score_threshold = 0.6;
  EXPECT_TRUE(CheckFilterThreshold("", detector).ok());
  detector.score_threshold = 0.3;
  EXPECT_THAT(std::string(CheckFilterThreshold("", detector).message()),
              HasSubstr("score threshold: found 0.3, expected at least the 0.5"));
}

TEST_F(FilterFitAppTest, RefusesWhatItCannotFitTo) {
  FilterFitRequest request = Request();
  request.data.data = folder_.path() + "/nowhere";
  EXPECT_THAT(Error(request), HasSubstr("nowhere"));
  request = Request();
  request.data.samples = 0;
  EXPECT_THAT(Error(request), HasSubstr("samples: found 0"));
  request = Request();
  request.data.crops = -1;
  EXPECT_THAT(Error(request), HasSubstr("crops: found -1"));
  request = Request();
  request.alike = 0;
  EXPECT_THAT(Error(request), HasSubstr("alike: found 0"));
  request.alike = 100;
  EXPECT_THAT(Error(request), HasSubstr("found those of 1 pictures"));
  request = Request();
  request.cut = 0;
  EXPECT_THAT(Error(request), HasSubstr("cut 0: found no inner cut"));
  request = Request();
  request.most_lost = 0.001;
  EXPECT_THAT(Error(request), HasSubstr("with a detection"));
  request = Request();
  folder_.Write("net.json", R"({"detections": {"kind": "none"}})");
  EXPECT_THAT(Error(request), HasSubstr("no detector of pictures"));
}

}  // namespace
}  // namespace cleave::app
