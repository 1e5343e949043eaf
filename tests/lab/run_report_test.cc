#include "lab/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace cleave {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

InferenceRecord Record(std::int64_t latency_us, std::optional<std::string> fallback) {
  InferenceRecord record;
  record.latency_us = latency_us;
  record.predicted_us = 900;
  record.plan.cut = 3;
  record.where = fallback ? Where::kDevice : Where::kSplit;
  record.fallback = std::move(fallback);
  record.timeline.head_us = 300;
  record.timeline.tail_us = 600;
  record.timeline.wasted_us = record.fallback ? 100 : 0;
  record.bytes_up = 10;
  record.outputs = {{"scores", *Tensor::FromFloats({2, 3}, {1, 3, 2, 6, 5, 4})}};
  return record;
}

TEST(RecordJson, NamesTheBestOfEachRow) {
  const OutputDetail detail = {.full = false, .labels = {"cat", "dog"}};
  const Json json = Json::parse(RecordJson(Record(1000, std::nullopt), detail));
  const Json& top = json["outputs"][0]["top"];
  ASSERT_EQ(top.size(), 2U);
  EXPECT_EQ(top[0][0], (Json{{"index", 1}, {"value", 3.0}, {"label", "dog"}}));
  EXPECT_EQ(top[0][1], (Json{{"index", 2}, {"value", 2.0}}));
  EXPECT_EQ(top[1][0]["index"], 0);
  EXPECT_FALSE(json["outputs"][0].contains("data"));
  EXPECT_TRUE(json["fallback"].is_null());
}

TEST(RecordJson, TellsWhatTheDeviceBelieved) {
  InferenceRecord record = Record(1000, std::nullopt);
  record.link_up_bps = 5e6;
  record.link_rtt_us = 20'000;
  record.device_slowdown = 1.5;
  record.edge_slowdown = 2;
  const Json linked = Json::parse(RecordJson(record, {}))["state"];
  EXPECT_EQ(linked["link_up_bps"], 5e6);
  EXPECT_EQ(linked["link_rtt_us"], 20'000);
  EXPECT_EQ(linked["device_slowdown"], 1.5);
  EXPECT_EQ(linked["edge_slowdown"], 2);
  record.link_up_bps = 0;
  EXPECT_TRUE(Json::parse(RecordJson(record, {}))["state"]["link_up_bps"].is_null());
}

TEST(RecordJson, FullOutputsHoldEveryValue) {
  const OutputDetail detail = {.full = true, .labels = {}};
  const Json json = Json::parse(RecordJson(Record(1000, "timeout after 5.00 ms"), detail));
  EXPECT_EQ(json["outputs"][0]["data"], (Json{1.0, 3.0, 2.0, 6.0, 5.0, 4.0}));
  EXPECT_EQ(json["fallback"], "timeout after 5.00 ms");
}

TEST(RecordJson, WhatIsNotFiniteIsNull) {
  InferenceRecord record = Record(1000, std::nullopt);
  record.outputs = {{"y", *Tensor::FromFloats({2}, {std::nanf(""), INFINITY})}};
  const Json json = Json::parse(RecordJson(record, {.full = true, .labels = {}}));
  EXPECT_EQ(json["outputs"][0]["data"], (Json{nullptr, nullptr}));
}

TEST(RunSummary, CountsAndShares) {
  RunSummary summary;
  for (int i = 0; i < 3; ++i) summary.Add(Record(1000, std::nullopt));
  summary.Add(Record(2000, "refused: queue full"));
  const Json json = Json::parse(summary.ToJson(1.5))["summary"];
  EXPECT_EQ(json["inferences"], 4);
  EXPECT_EQ(json["latency_us"]["p50"], 1000.0);
  EXPECT_EQ(json["latency_us"]["mean"], 1250.0);
  EXPECT_EQ(json["latency_us"]["max"], 2000.0);
  EXPECT_EQ(json["where"], (Json{{"device", 1}, {"split", 3}}));
  EXPECT_EQ(json["cuts"], (Json{{"3", 4}}));
  EXPECT_EQ(json["fallbacks"], 1);
  EXPECT_EQ(json["fallback_reasons"], (Json{{"refused: queue full", 1}}));
  EXPECT_EQ(json["bytes_up"], 40);
  EXPECT_NEAR(json["prediction_error_median"].get<double>(), 0.1, 1e-9);
  double share = 0;
  for (const auto& [phase, value] : json["phase_share"].items()) share += value.get<double>();
  EXPECT_NEAR(share, 1, 1e-9);
  EXPECT_THAT(summary.ToText(1.5), HasSubstr("refused: queue full"));
}

TEST(RunSummary, NothingRunIsNoDivisionByZero) {
  const Json json = Json::parse(RunSummary().ToJson(0))["summary"];
  EXPECT_EQ(json["inferences"], 0);
  EXPECT_EQ(json["latency_us"]["p99"], 0.0);
}

std::size_t ColumnOfWhy() { return RecordHeader().find("why"); }

TEST(RecordLine, NamesThePlanAsThePolicyFixedTakesIt) {
  InferenceRecord record = Record(1000, std::nullopt);
  record.plan = {.exit = 0, .cut = 6, .encoding = Encoding::kQ4};
  EXPECT_THAT(RecordLine(record), HasSubstr(" 6/q4/0 "));
  record.plan = {.exit = 4, .cut = 15, .encoding = Encoding::kFp32};
  EXPECT_THAT(RecordLine(record), HasSubstr(" 15/fp32/4 "));
}

TEST(RecordLine, KeepsItsColumnsUnderTheHeaderWhateverThePlan) {
  for (const Encoding encoding : AllEncodings()) {
    InferenceRecord record = Record(1000, std::nullopt);
    record.plan = {.exit = 63, .cut = IsPicture(encoding) ? 0 : 1234, .encoding = encoding};
    record.reason = "fastest";
    EXPECT_EQ(RecordLine(record).find("fastest"), ColumnOfWhy()) << EncodingName(encoding);
  }
}

TEST(RecordLine, LeavesRoomForTheReasonIn160Columns) {
  constexpr std::size_t kColumns = 160;
  const std::string fallback = "refused: queue full, expected wait 12.3 ms";
  const std::string line = RecordLine(Record(1000, fallback));
  EXPECT_EQ(line.find(fallback), ColumnOfWhy());
  EXPECT_LE(line.size(), kColumns);
}

TEST(Quantile, IsLinearBetweenNeighbours) {
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0.5), 2.5);
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 0), 1);
  EXPECT_EQ(Quantile({4, 1, 3, 2}, 1), 4);
  EXPECT_EQ(Quantile({}, 0.5), 0);
}

}  // namespace
}  // namespace cleave
