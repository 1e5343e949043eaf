#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "experiments/latency/experiment.h"
#include "support/temp_dir.h"

namespace cleave::experiments::latency {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;
using Json = nlohmann::json;

rig::Cell CellOf(const std::string& policy, double mean_ms) {
  rig::Cell cell;
  cell.policy = policy;
  cell.rate_bps = 1e6;
  cell.mean_us = 1e3 * mean_ms;
  cell.plans = {{"11/t2/0", 3}, {"102/fp32/0", 1}};
  return cell;
}

Point PointOf(double share, double own_ms, double device_ms, double jpeg_ms) {
  Point point;
  point.device_share = share;
  point.cells = {CellOf(kOwn, own_ms), CellOf("device only", device_ms),
                 CellOf("JPEG (jpeg90)", jpeg_ms)};
  return point;
}

TEST(LatencyPointTest, IsComparedWithItsBestRival) {
  const Point point = PointOf(0.25, 90, 240, 120);
  ASSERT_NE(point.BestRival(), nullptr);
  EXPECT_EQ(point.BestRival()->policy, "JPEG (jpeg90)");
  EXPECT_DOUBLE_EQ(point.Ratio(), 0.75);
  Point alone;
  alone.cells = {CellOf(kOwn, 90)};
  EXPECT_EQ(alone.BestRival(), nullptr);
  EXPECT_EQ(alone.Ratio(), 1);
}

TEST(LatencyReportTest, HasATableForEachShareAndCountsThePoints) {
  Results results;
  results.points = {PointOf(0.25, 90, 240, 120), PointOf(0.25, 100, 101, 300),
                    PointOf(0.125, 105, 100, 300)};
  const std::string text = ToText(results);
  EXPECT_THAT(text, HasSubstr("0.25 of a core"));
  EXPECT_THAT(text, HasSubstr("0.125 of a core"));
  EXPECT_THAT(text, HasSubstr("11/t2/0"));
  EXPECT_THAT(text,
              HasSubstr("1 of 3 points at 0.8 or less, 2 at 1.03 or less; the worst is 1.05"));
  const Json json = Json::parse(ToJson(results));
  EXPECT_EQ(json["points"][0]["best_rival"], "JPEG (jpeg90)");
  EXPECT_EQ(json["points"][0]["cells"][1]["way"], "device only");
  EXPECT_EQ(json["points"][2]["ratio"], 1.05);
}

TEST(LatencyOptionsTest, AreChecked) {
  const TempDir folder;
  Options options;
  options.data = folder.path();
  EXPECT_TRUE(options.Validate().ok()) << options.Validate();
  options.device_shares = {0.5, 2};
  EXPECT_THAT(options.Validate().message(), HasSubstr("device_share: found 2"));
  options.device_shares = {};
  EXPECT_THAT(options.Validate().message(), HasSubstr("device_shares: found none"));
  options.device_shares = {1};
  options.rates_bps = {0};
  EXPECT_THAT(options.Validate().message(), HasSubstr("rates: found 0"));
  options.rates_bps = {1e6};
  options.min_accuracy = 1.5;
  EXPECT_THAT(options.Validate().message(), HasSubstr("min_accuracy"));
}

TEST(LatencyExperimentTest, AModelWithoutACalibratedCodecIsRefused) {
  const TempDir folder;
  Options options;
  options.model = CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx";
  options.data = folder.path();
  const auto results = RunExperiment(options, "the command");
  EXPECT_EQ(results.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(results.status().message(), HasSubstr("no calibrated plan of t1 to t6"));
}

}  // namespace
}  // namespace cleave::experiments::latency
