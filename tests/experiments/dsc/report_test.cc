#include "experiments/dsc/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "core/statistics.h"
#include "experiments/dsc/fake_results.h"
#include "experiments/dsc/goals.h"
#include "experiments/dsc/report_encodings.h"

namespace cleave::experiments::dsc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The text of the page's data element, up to where a browser would end it.
std::string DataElement(const std::string& html) {
  const std::string open = R"(<script type="application/json" id="data">)";
  const std::size_t begin = html.find(open) + open.size();
  return html.substr(begin, html.find("</script", begin) - begin);
}

int Count(const std::string& text, const std::string& what) {
  int count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
    ++count;
  }
  return count;
}

TEST(ReportTest, HoldsTheResultsAsTheyAre) {
  const Results results = FakeResults();
  const auto data = nlohmann::json::parse(DataElement(RenderReport(results)));
  EXPECT_EQ(data["points"].size(), results.points.size());
  EXPECT_DOUBLE_EQ(data["points"][3]["best_us"], results.points[3].best_us);
  EXPECT_EQ(data["points"][3]["cuts"][1]["tensors"], "/features/features.1");
}

TEST(ReportTest, TextFromResultsCannotLeaveItsElement) {
  Results results = FakeResults();
  const std::string hostile = "x</script><script>alert(1)</script><!--/*REPORT*/";
  results.models[0].name = hostile;
  results.points[0].model = hostile;
  const std::string html = RenderReport(results);
  EXPECT_THAT(html, Not(HasSubstr("<script>alert(1)")));
  const auto data = nlohmann::json::parse(DataElement(html));
  EXPECT_EQ(data["points"][0]["model"], hostile);
  EXPECT_EQ(Count(html, "<script"), 4);
}

TEST(ReportTest, HoldsTheEncodingsAndWhatTheySay) {
  const Results results = FakeResults();
  const auto data = nlohmann::json::parse(DataElement(RenderReport(results)));
  ASSERT_EQ(data["encodings"].size(), results.encodings.size());
  EXPECT_EQ(data["encodings"][0]["sentences"],
            nlohmann::json(EncodingSentences(results.encodings[0])));
  EXPECT_EQ(data["encodings"][0]["rates"][0]["choices"].size(), 6U);
}

EncodingForecast TwoRates() {
  EncodingForecast forecast{.last_cut = 9};
  forecast.rates = {{.rate_bps = 1e6,
                     .choices = {{.encoding = Encoding::kFp32, .cut = 9, .predicted_us = 90},
                                 {.encoding = Encoding::kQ2, .cut = 4, .predicted_us = 70},
                                 {.encoding = Encoding::kJpeg, .predicted_us = 95}}},
                    {.rate_bps = 5e6,
                     .choices = {{.encoding = Encoding::kFp32, .cut = 4, .predicted_us = 80},
                                 {.encoding = Encoding::kQ2, .cut = 0, .predicted_us = 60},
                                 {.encoding = Encoding::kJpeg, .predicted_us = 65}}}};
  return forecast;
}

TEST(EncodingSentencesTest, SaysWhereSplittingDoesNotPay) {
  EXPECT_EQ(SplitVerdict(TwoRates(), {Encoding::kFp32}),
            "With fp32, a split is predicted to be the fastest at no rate; splitting does not pay "
            "at 1 Mbit/s, where staying on the device is faster, nor at 5 Mbit/s, where sending "
            "the JPEG is faster.");
  EXPECT_EQ(SplitVerdict(TwoRates(), {Encoding::kFp32, Encoding::kQ2}),
            "With the best of fp32, q2 (accuracy not calibrated), a split is predicted to be the "
            "fastest at 1 Mbit/s; splitting does not pay at 5 Mbit/s, where sending the input "
            "itself is faster.");
  EXPECT_EQ(SplitVerdict(TwoRates(), {Encoding::kQ6}), "");
  EXPECT_EQ(SplitVerdict(EncodingForecast{}, {Encoding::kFp32}), "");
}

TEST(EncodingSentencesTest, SaysHowTheBestCutMoves) {
  EXPECT_EQ(CutShift(TwoRates(), Encoding::kQ2),
            "From fp32 to q2 the best cut moves from 9 to 4 at 1 Mbit/s, from 4 to 0 at 5 Mbit/s.");
  EXPECT_EQ(CutShift(TwoRates(), Encoding::kFp32),
            "From fp32 to fp32 the best cut moves at no rate.");
  EXPECT_EQ(CutShift(TwoRates(), Encoding::kQ8), "");
}

TEST(EncodingSentencesTest, ACalibratedModelIsNotCalledUncalibrated) {
  EncodingForecast forecast = TwoRates();
  forecast.calibrated = true;
  EXPECT_THAT(SplitVerdict(forecast, {Encoding::kFp32, Encoding::kQ2}),
              Not(HasSubstr("not calibrated")));
}

TEST(ResultsTest, AFileFromBeforeTheEncodingsIsRead) {
  auto old = nlohmann::json::parse(ToJson(FakeResults()));
  old.erase("encodings");
  const auto read = FromJson(old.dump(), "old.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_TRUE(read->encodings.empty());
  EXPECT_FALSE(read->points.empty());
}

TEST(ResultsTest, KeepsOneForecastForAModelAndBatch) {
  Results results = FakeResults();
  const std::size_t count = results.encodings.size();
  EncodingForecast newer = FakeEncodings("mobilenet_v2", 4, -1);
  newer.device_us = 7;
  results.Keep(newer);
  EXPECT_EQ(results.encodings.size(), count);
  ASSERT_NE(results.FindEncodings("mobilenet_v2", 4), nullptr);
  EXPECT_EQ(results.FindEncodings("mobilenet_v2", 4)->device_us, 7);
  EXPECT_EQ(results.FindEncodings("mobilenet_v2", 5), nullptr);
}

TEST(ReportTest, BytesThatAreNoUtf8BecomeReplacementCharacters) {
  Results results = FakeResults();
  results.meta.machine = "bad \xff byte";
  EXPECT_FALSE(
      nlohmann::json::parse(DataElement(RenderReport(results)), nullptr, false).is_discarded());
  EXPECT_TRUE(FromJson(ToJson(results), "test").ok());
}

TEST(ReportTest, NeedsNoNetwork) {
  const std::string html = RenderReport(FakeResults());
  for (const char* fetching : {"<link", "<script src", "<img", "@import", "url("}) {
    EXPECT_EQ(Count(html.substr(0, html.find("Apache Software Foundation")), fetching), 0)
        << fetching;
  }
  EXPECT_THAT(html, HasSubstr("Apache Software Foundation"));
}

TEST(ResultsTest, SurviveJson) {
  const Results results = FakeResults();
  const auto read = FromJson(ToJson(results), "results.json");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToJson(*read), ToJson(results));
  const std::string key = results.points[5].Key();
  ASSERT_NE(read->Find(key), nullptr);
  EXPECT_EQ(read->Find(key)->best_cut, results.points[5].best_cut);
  EXPECT_EQ(read->Find("none|1|1|idle"), nullptr);
}

TEST(ResultsTest, RefusesWhatIsNoResultFile) {
  for (const char* text : {"", "{", "[]", "{}", R"({"meta":{"schema":"other/1"}})",
                           R"({"meta":{"schema":"cleave-experiment-dsc/1"},"points":3})"}) {
    const auto read = FromJson(text, "somewhere.json");
    ASSERT_FALSE(read.ok()) << text;
    EXPECT_THAT(std::string(read.status().message()), HasSubstr("somewhere.json")) << text;
  }
}

TEST(ResultsTest, QuantilesInterpolate) {
  EXPECT_DOUBLE_EQ(Median({}), 0);
  EXPECT_DOUBLE_EQ(Median({7}), 7);
  EXPECT_DOUBLE_EQ(Median({4, 1, 3, 2}), 2.5);
  EXPECT_DOUBLE_EQ(Quantile({0, 10}, 0.25), 2.5);
  const Summary summary = Summarize({5, 1, 3});
  EXPECT_EQ(summary.n, 3);
  EXPECT_DOUBLE_EQ(summary.mean_us, 3);
}

TEST(GoalsTableTest, ListsEveryGoal) {
  const auto goals = EvaluateGoals(FakeResults());
  const std::string table = rig::GoalsTable(goals);
  for (const rig::Goal& goal : goals) EXPECT_THAT(table, HasSubstr(goal.figure));
}

}  // namespace
}  // namespace cleave::experiments::dsc
