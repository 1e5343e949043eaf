#include "app/run_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace cleave::app {
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

TEST(RecordJson, ListsTheDetectionsOfEachItem) {
  const OutputDetail detail = {.full = false, .labels = {"cat"}};
  const BatchDetections found = {{{{1, 2, 3.5, 4}, 0, 0.75}, {{0, 0, 1, 1}, 5, 0.5}}, {}};
  const Json json = Json::parse(RecordJson(Record(1000, std::nullopt), detail, {}, found));
  ASSERT_EQ(json["detections"].size(), 2U);
  EXPECT_EQ(json["detections"][0][0],
            (Json{{"class", 0}, {"label", "cat"}, {"score", 0.75}, {"box", {1.0, 2.0, 3.5, 4.0}}}));
  EXPECT_EQ(json["detections"][0][1],
            (Json{{"class", 5}, {"score", 0.5}, {"box", {0.0, 0.0, 1.0, 1.0}}}));
  EXPECT_TRUE(json["detections"][1].empty());
  EXPECT_FALSE(json["outputs"][0].contains("top"));
  EXPECT_FALSE(Json::parse(RecordJson(Record(1000, std::nullopt), detail)).contains("detections"));
}

InferenceRecord Filtered() {
  InferenceRecord record = Record(1000, std::nullopt);
  record.filter = {.outcome = FilterRecord::Outcome::kFiltered, .logit = -4.5};
  record.outputs.clear();
  record.predicted_us = 900'000;
  record.plan.cut = 11;
  return record;
}

TEST(RecordJson, SaysWhatTheFilterSaid) {
  const Json filtered = Json::parse(RecordJson(Filtered(), {}));
  EXPECT_EQ(filtered["filter"], (Json{{"outcome", "filtered"}, {"logit", -4.5}}));
  EXPECT_TRUE(filtered["outputs"].empty());
  EXPECT_TRUE(Json::parse(RecordJson(Record(1000, std::nullopt), {}))["filter"].is_null());
  InferenceRecord full = Filtered();
  full.filter = {.outcome = FilterRecord::Outcome::kPassed, .logit = INFINITY};
  EXPECT_EQ(Json::parse(RecordJson(full, {}))["filter"],
            (Json{{"outcome", "passed"}, {"logit", nullptr}}));
}

TEST(FilteredLines, AreThereOnlyWhereAFilterEndedTheInference) {
  EXPECT_EQ(FilteredLines(Filtered(), {"a.jpg", "b.jpg"}),
            (std::vector<std::string>{"a.jpg: nothing found (filtered at cut 11)",
                                      "b.jpg: nothing found (filtered at cut 11)"}));
  EXPECT_TRUE(FilteredLines(Record(1000, std::nullopt), {"a.jpg"}).empty());
}

TEST(RunSummary, CountsFilteredInferencesAndTakesNoneForAForecast) {
  RunSummary summary;
  summary.Add(Record(1000, std::nullopt));
  summary.Add(Filtered(), BatchDetections{{}});
  const Json json = Json::parse(summary.ToJson(1))["summary"];
  EXPECT_EQ(json["filter"]["filtered"], 1);
  EXPECT_NEAR(json["prediction_error_median"], 0.1, 1e-9);
  EXPECT_THAT(summary.ToText(1), HasSubstr("filtered    x1 of 1"));
  RunSummary without;
  without.Add(Record(1000, std::nullopt));
  EXPECT_TRUE(Json::parse(without.ToJson(1))["summary"]["filter"].is_null());
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

TEST(RecordJson, StringsAreTextsWhateverTheirBytes) {
  const absl::string_view texts[] = {"red", "", "\xC3\xBC\n\xFF"};
  InferenceRecord record = Record(1000, std::nullopt);
  record.outputs = {{"label", Tensor::FromStrings({3}, texts).value()}};
  const Json json = Json::parse(RecordJson(record, {.full = true, .labels = {}}));
  EXPECT_EQ(json["outputs"][0]["dtype"], "BYTES");
  EXPECT_EQ(json["outputs"][0]["data"], (Json{"red", "", "\xC3\xBC\n\xEF\xBF\xBD"}));
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

TEST(RunSummary, CountsHedgesAndTellsTheReliability) {
  RunSummary summary;
  for (int i = 0; i < 99; ++i) {
    InferenceRecord record = Record(1000, std::nullopt);
    record.deadline_us = 2000;
    if (i < 10) record.hedge = HedgeRecord{{1, 5, Encoding::kFp32}, 900, i < 4};
    summary.Add(record);
  }
  InferenceRecord late = Record(3000, std::nullopt);
  late.deadline_us = 2000;
  late.deadline_missed = true;
  summary.Add(late);
  const Json json = Json::parse(summary.ToJson(1))["summary"];
  EXPECT_EQ(json["hedges"], 10);
  EXPECT_EQ(json["hedges_won"], 4);
  EXPECT_EQ(json["reliability"]["in_time"], 0.99);
  EXPECT_LT(json["reliability"]["low"], 0.99);
  EXPECT_NEAR(json["reliability"]["nines"], 2, 1e-9);
  EXPECT_THAT(summary.ToText(1), HasSubstr("hedged      x10, won x4"));
  EXPECT_THAT(summary.ToText(1), HasSubstr("in time     99% (95% interval"));
}

TEST(RecordJson, SaysWhatBecameOfTheHedge) {
  InferenceRecord record = Record(1000, "late: no answer after 1.00 ms");
  record.plan = {1, 5, Encoding::kFp32};
  record.decided = {4, 0, Encoding::kQ8};
  record.deadline_us = 1100;
  record.hedge = HedgeRecord{record.plan, 700, true};
  const Json json = Json::parse(RecordJson(record, {}));
  EXPECT_EQ(json["plan"]["exit"], 1);
  EXPECT_EQ(json["decided"], (Json{{"exit", 4}, {"cut", 0}, {"encoding", "q8"}}));
  EXPECT_EQ(json["hedge"]["finished_us"], 700);
  EXPECT_EQ(json["hedge"]["won"], true);
  EXPECT_EQ(json["deadline_us"], 1100);
  EXPECT_THAT(RecordLine(record), HasSubstr("hedge won; late: "));
  record.hedge->finished_us.reset();
  EXPECT_TRUE(Json::parse(RecordJson(record, {}))["hedge"]["finished_us"].is_null());
  EXPECT_TRUE(Json::parse(RecordJson(Record(1, std::nullopt), {}))["hedge"].is_null());
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

}  // namespace
}  // namespace cleave::app
