#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "experiments/filter/experiment.h"

namespace cleave::experiments::filter {
namespace {

using ::testing::HasSubstr;

TEST(BootstrapShareTest, HoldsTheShareAndIsTheSameAgain) {
  std::vector<std::int64_t> part;
  std::vector<std::int64_t> whole;
  for (int i = 0; i < 200; ++i) {
    part.push_back(i % 4 == 0 ? 5 : 0);
    whole.push_back(5);
  }
  const Interval interval = BootstrapShare(part, whole, 1);
  EXPECT_LT(interval.low, 0.25);
  EXPECT_GT(interval.high, 0.25);
  // As of 200 pictures, not of 1000 crops: about two of 0.031 on each side.
  EXPECT_NEAR(interval.high - interval.low, 4 * 0.031, 0.03);
  EXPECT_EQ(BootstrapShare(part, whole, 1).low, interval.low);
}

TEST(BootstrapShareTest, NothingTellsNothing) {
  EXPECT_EQ(BootstrapShare({0, 0}, {0, 0}, 1).high, 1);
  EXPECT_EQ(BootstrapShare({}, {}, 1).low, 0);
  EXPECT_EQ(BootstrapShare({2, 3}, {2, 3}, 1).low, 1);
}

TEST(FilterReportTest, SaysTheSharesToProgramsAndPeople) {
  Results results;
  results.model = "net.onnx";
  results.digest = std::string(64, 'a');
  results.data_digest = std::string(64, 'b');
  results.cut = 11;
  results.share_of_work = 0.197;
  results.score_threshold = 0.4;
  results.pictures = 50;
  Row row;
  row.name = "crops";
  row.counts = {.empty = 80,
                .spared = 60,
                .occupied = 200,
                .lost = 1,
                .detections = 400,
                .lost_detections = 2};
  row.spared = {0.6, 0.9};
  row.lost = {0, 0.02};
  results.rows = {row};
  EXPECT_THAT(ToText(results), HasSubstr("| crops | 80 | 75.0% (60.0 to 90.0) | 200 | 0.5% "));
  EXPECT_THAT(ToText(results), HasSubstr("behind 19.7% of the work"));
  EXPECT_THAT(ToJson(results), HasSubstr("\"spared\": 60"));
  EXPECT_THAT(ToJson(results), HasSubstr("\"lost_detections\": 2"));
}

}  // namespace
}  // namespace cleave::experiments::filter
