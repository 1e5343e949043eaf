// A filter that is fitted, used and measured by the real program, with an edge in another process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "codec/filter_file.h"
#include "core/file.h"
#include "e2e/processes.h"
#include "emulate/process.h"
#include "model/graph.h"
#include "support/bright_detector.h"

namespace cleave {
namespace {

using testing::BrightDetector;
using testing::BrightDetectorSidecar;
using ::testing::HasSubstr;
using testing::Json;
using testing::kLong;
using testing::NightPicture;
using testing::RunOutput;

class FilterTest : public testing::ProcessTest {
 protected:
  void SetUp() override {
    model_ = folder_.Write("net.onnx", BrightDetector());
    folder_.Write("net.json", BrightDetectorSidecar());
    std::filesystem::create_directory(folder_.path() + "/nights");
    std::mt19937_64 random(1);
    for (int i = 0; i < 80; ++i) {
      folder_.Write("nights/" + std::to_string(i) + ".png", NightPicture(i % 2 == 0, random));
    }
    dark_ = folder_.Write("dark.png", NightPicture(false, random));
    lit_ = folder_.Write("lit.png", NightPicture(true, random));
    const auto fit = Start({"filter", "fit", model_, "--data", folder_.path() + "/nights",
                            "--crops", "2", "--lost", "5%"});
    ASSERT_EQ(fit->Wait(kLong).value_or(-1), 0) << LastErrors();
    filter_ = FilterFile::Load("", model_, Graph::Load(model_).value()->digest()).value();
  }

  std::string Lines(std::vector<std::string> args) {
    const auto process = Start(std::move(args));
    std::string text;
    for (auto line = process->ReadLine(kLong); line.ok(); line = process->ReadLine(kLong)) {
      text += *line + "\n";
    }
    exit_code_ = process->Wait(kLong).value_or(-1);
    return text;
  }

  std::string model_;
  std::string dark_;
  std::string lit_;
  std::shared_ptr<const FilterFile> filter_;
  int exit_code_ = 0;
};

TEST_F(FilterTest, DarkPicturesEndOnTheDeviceAndOthersAreSent) {
  const auto [edge, target] = Serve(model_);
  const std::vector<std::string> to_edge = {"--edge", target,           "--policy",
                                            "edge",   "--filter-check", "0"};
  std::vector<std::string> args = to_edge;
  args.insert(args.end(), {"--input", dark_, "--filter"});
  const RunOutput dark = Run(model_, args);
  ASSERT_EQ(dark.records.size(), 1U) << LastErrors();
  EXPECT_EQ(dark.records[0]["where"], "device");
  EXPECT_EQ(dark.records[0]["reason"], "filtered");
  EXPECT_EQ(dark.records[0]["filter"]["outcome"], "filtered");
  EXPECT_EQ(dark.records[0]["plan"]["cut"], filter_->about().cut);
  EXPECT_TRUE(dark.records[0]["outputs"].empty());
  EXPECT_EQ(dark.records[0]["detections"], Json::array({Json::array()}));
  EXPECT_EQ(dark.summary["bytes_up"], 0);
  EXPECT_EQ(dark.summary["filter"]["filtered"], 1);

  args = to_edge;
  args.insert(args.end(), {"--input", lit_, "--filter"});
  const RunOutput lit = Run(model_, args);
  ASSERT_EQ(lit.records.size(), 1U) << LastErrors();
  EXPECT_EQ(lit.records[0]["where"], "edge");
  EXPECT_EQ(lit.records[0]["filter"]["outcome"], "passed");
  EXPECT_FALSE(lit.records[0]["detections"][0].empty());
  // The answer is the one that there is without a filter.
  args = to_edge;
  args.insert(args.end(), {"--input", lit_});
  const RunOutput plain = Run(model_, args);
  EXPECT_EQ(lit.records.at(0)["detections"], plain.records.at(0)["detections"]);
  EXPECT_TRUE(plain.records.at(0)["filter"].is_null());
  EXPECT_TRUE(plain.summary["filter"].is_null());
}

TEST_F(FilterTest, ItIsSaidToPeopleAndCheckedNowAndThen) {
  const std::string text =
      Lines({"run", model_, "--plain", "--input", dark_, "--filter", "--filter-check", "0"});
  EXPECT_EQ(exit_code_, 0) << LastErrors();
  EXPECT_THAT(text, HasSubstr("dark.png: nothing found (filtered at cut " +
                              std::to_string(filter_->about().cut) + ")"));
  EXPECT_THAT(text, HasSubstr("filtered    x1 of 1"));
  const RunOutput checked =
      Run(model_, {"--input", dark_, "--filter", "--filter-check", "100%", "--repeat", "3"});
  EXPECT_EQ(checked.summary["filter"]["checked"], 3) << LastErrors();
  EXPECT_EQ(checked.summary["filter"]["wrong"], 0);
  EXPECT_EQ(checked.records.at(0)["outputs"].size(), 2U);
}

TEST_F(FilterTest, TheExperimentCountsWhatIsHeldBack) {
  const std::string out = folder_.path() + "/filter.json";
  const std::string text =
      Lines({"experiment", "filter", model_, "--data", folder_.path() + "/nights", "-o", out});
  constexpr int kNoSuchCommand = 2;
  if (exit_code_ == kNoSuchCommand) GTEST_SKIP() << "a build without experiments";
  ASSERT_EQ(exit_code_, 0) << LastErrors();
  EXPECT_THAT(text, HasSubstr("whole pictures"));
  const Json results = Json::parse(ReadFile(out).value());
  const Json& whole = results["rows"][0];
  EXPECT_EQ(whole["empty"], 40);
  EXPECT_EQ(whole["occupied"], 40);
  EXPECT_GT(whole["spared"], 35);
  EXPECT_LT(whole["lost"], 5);
}

TEST_F(FilterTest, WhatDoesNotFitIsSaid) {
  Lines({"run", model_, "--input", dark_, "--filter", "--score-threshold", "0.1"});
  EXPECT_NE(exit_code_, 0);
  EXPECT_THAT(LastErrors(), HasSubstr("score threshold: found 0.1, expected at least the 0.5"));
  Lines({"run", model_, "--input", dark_, "--filter", folder_.path() + "/net.onnx"});
  EXPECT_NE(exit_code_, 0);
  EXPECT_THAT(LastErrors(), HasSubstr("net.onnx"));
  Lines({"exits", model_, "--filter", "--data", folder_.path()});
  EXPECT_NE(exit_code_, 0);
  EXPECT_THAT(LastErrors(), HasSubstr("cleave filter fit"));
}

}  // namespace
}  // namespace cleave
