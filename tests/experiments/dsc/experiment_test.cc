#include "experiments/dsc/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>

#include "device/models.h"
#include "experiments/dsc/encodings.h"
#include "experiments/dsc/fake_results.h"
#include "experiments/dsc/micro.h"
#include "experiments/dsc/point.h"
#include "experiments/dsc/scenarios.h"
#include "experiments/rig/worker.h"

namespace cleave::experiments::dsc {
namespace {

using ::cleave::testing::PoolModel;
using ::cleave::testing::TempDir;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(PlanGridTest, HasEveryPointOnceAndTheCoarseOnesFirst) {
  const Options options;
  const auto plan = PlanGrid(options, 4);
  std::set<std::string> seen;
  bool fine = false;
  for (const PointSpec& spec : plan) {
    seen.insert(std::to_string(spec.model) + "/" + std::to_string(spec.rate_bps) + "/" +
                std::to_string(spec.batch) + "/" + std::string(LoadName(spec.load)));
    EXPECT_FALSE(fine && spec.coarse);
    fine |= !spec.coarse;
  }
  EXPECT_EQ(plan.size(), 4U * 8 * 3 * 2);
  EXPECT_EQ(seen.size(), plan.size());
}

TEST(PlanGridTest, TheFirstQuarterSeesAllModels) {
  const auto plan = PlanGrid(Options{}, 4);
  std::set<std::size_t> models;
  for (std::size_t i = 0; i < plan.size() / 4; ++i) models.insert(plan[i].model);
  EXPECT_EQ(models.size(), 4U);
}

TEST(OptionsTest, NamesWhatDoesNotFit) {
  Options options;
  EXPECT_TRUE(options.Validate().ok());
  EXPECT_THAT(std::string(ParseLoads({"idle", "sleepy"}).status().message()),
              HasSubstr("'sleepy', expected idle"));
  EXPECT_THAT(std::string(ParseParts({"tea"}).status().message()),
              HasSubstr("'tea', expected micro, grid, step, trace, kills"));
  options.rates_bps = {1e6, -1};
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("rates"));
  options = {};
  options.picture_bytes = -1;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("picture-size"));
  options = {};
  options.device_share = 0;
  EXPECT_THAT(std::string(options.Validate().message()), HasSubstr("device-share"));
  options = {};
  options.Shorten();
  EXPECT_TRUE(options.Validate().ok());
}

TEST(ListModelsTest, TakesFilesAndFolders) {
  const TempDir folder;
  const std::string b = folder.Write("b.onnx", "");
  const std::string a = folder.Write("a.onnx", "");
  folder.Write("notes.txt", "");
  const auto files = ListModels({b, folder.path()});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_THAT(*files, ElementsAre(b, a, b));
  EXPECT_EQ(ListModels({folder.path() + "/none.onnx"}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ListModels({}).status().code(), absl::StatusCode::kNotFound);
}

TEST(PredictTest, TheTrueRateReplacesTheBelievedOne) {
  const rig::Forecast forecast{.bytes_up = 1448 * 100,
                               .head_us = 1000,
                               .encode_us = 100,
                               .uplink_us = 777,
                               .queue_us = 50,
                               .tail_us = 200};
  // 100 segments of 1448 bytes with their headers.
  EXPECT_NEAR(PredictUs(forecast, 8e6), 1350 + 100 * 1514, 2000);
  EXPECT_DOUBLE_EQ(PredictUs({.bytes_up = 0, .head_us = 900}, 1e6), 900);
}

const EncodingChoice& Choice(const EncodingForecast& forecast, double rate_bps, Encoding encoding) {
  static const EncodingChoice kNone{.encoding = Encoding::kQ3};
  for (const EncodingRate& rate : forecast.rates) {
    for (const EncodingChoice& choice : rate.choices) {
      if (rate.rate_bps == rate_bps && choice.encoding == encoding) return choice;
    }
  }
  return kNone;
}

TEST(EncodingsTest, FewerBitsAreNeverSlowerAndTheCutIsTheFastest) {
  const EncodingForecast forecast = FakeEncodings("m", 1, std::nullopt);
  EXPECT_EQ(forecast.last_cut, 16);
  EXPECT_FALSE(forecast.calibrated);
  EXPECT_DOUBLE_EQ(forecast.device_us, 120'000);
  for (const EncodingRate& rate : forecast.rates) {
    double before_us = forecast.device_us;
    for (const Encoding encoding :
         {Encoding::kFp32, Encoding::kFp16, Encoding::kQ8, Encoding::kQ4, Encoding::kQ2}) {
      const EncodingChoice& choice = Choice(forecast, rate.rate_bps, encoding);
      EXPECT_LE(choice.predicted_us, before_us)
          << EncodingName(encoding) << " at " << rate.rate_bps;
      before_us = choice.predicted_us;
      for (const rig::Forecast& row : rig::OfEncoding(FakeForecasts(1, std::nullopt), encoding)) {
        EXPECT_LE(choice.predicted_us, PredictUs(row, rate.rate_bps)) << EncodingName(encoding);
      }
    }
  }
}

TEST(EncodingsTest, AJpegIsSentAtCut0AndDecodedThere) {
  const EncodingForecast forecast = FakeEncodings("m", 4, 0.7);
  EXPECT_TRUE(forecast.calibrated);
  const EncodingChoice& jpeg = Choice(forecast, 1e7, Encoding::kJpeg);
  EXPECT_EQ(jpeg.cut, 0);
  EXPECT_GE(jpeg.bytes_up, 4 * 30'000);
  EXPECT_LT(jpeg.bytes_up, 4 * 30'000 + 1000);
  EXPECT_GE(jpeg.predicted_us, 4 * (4 * 7'000 + 1500) + jpeg.bytes_up * 0.8);
  ASSERT_TRUE(jpeg.accuracy.has_value());
  EXPECT_DOUBLE_EQ(*jpeg.accuracy, 0.7);
}

TEST(EncodingsTest, WhatCannotBeSentIsLeftOut) {
  PictureFacts none;
  none.note = "two inputs";
  const EncodingForecast plain = ForecastEncodings(
      rig::OfEncoding(FakeForecasts(1, std::nullopt), Encoding::kFp32), {5e6, 1e6, 5e6}, 1, none);
  ASSERT_EQ(plain.rates.size(), 2U);
  EXPECT_EQ(plain.rates[0].rate_bps, 1e6);
  EXPECT_EQ(plain.rates[1].choices.size(), 1U);
  EXPECT_TRUE(ForecastEncodings({}, {1e6}, 1, none).rates.empty());
}

TEST(EncodingsTest, CoversTheSameRatesAndPictureOnly) {
  const EncodingForecast made_up = FakeEncodings("m", 1, std::nullopt);
  EXPECT_TRUE(Covers(made_up, {1e6, 5e7}, 0));
  EXPECT_FALSE(Covers(made_up, {1e6, 7e6}, 0));
  EXPECT_FALSE(Covers(made_up, {1e6}, 20'000));
  EncodingForecast given = made_up;
  given.picture = {.bytes = 20'000};
  EXPECT_TRUE(Covers(given, {1e6}, 20'000));
  EXPECT_FALSE(Covers(given, {1e6}, 20'001));
  EXPECT_FALSE(Covers(given, {1e6}, 0));
}

TEST(FindPictureTest, AMadeUpPictureIsMuchSmallerThanItsPixels) {
  const std::vector<TensorSpec> inputs = {{"x", DataType::kFloat32, {-1, 3, 48, 64}}};
  const PictureFacts facts = FindPicture(inputs, "none.onnx", 0);
  EXPECT_EQ(facts.note, "");
  EXPECT_TRUE(facts.made_up);
  EXPECT_EQ(facts.height, 48);
  EXPECT_EQ(facts.width, 64);
  EXPECT_GT(facts.bytes, 300);
  EXPECT_LT(facts.bytes, 3 * 48 * 64);
  EXPECT_GT(facts.decode_us, 0);
  const PictureFacts given = FindPicture(inputs, "none.onnx", 12'345);
  EXPECT_FALSE(given.made_up);
  EXPECT_EQ(given.bytes, 12'345);
}

TEST(FindPictureTest, SaysWhyThereIsNone) {
  const TensorSpec picture{"x", DataType::kFloat32, {1, 3, 8, 8}};
  EXPECT_THAT(FindPicture({picture, picture}, "m.onnx", 0).note, HasSubstr("2 inputs"));
  EXPECT_THAT(FindPicture({{"x", DataType::kFloat32, {1, 8}}}, "m.onnx", 0).note,
              HasSubstr("four"));
  EXPECT_THAT(FindPicture({{"x", DataType::kFloat32, {1, 5, 8, 8}}}, "m.onnx", 9).note,
              HasSubstr("three channels"));
}

TEST(MadeUpPictureTest, IsTheSameEachTimeAndSmooth) {
  const std::vector<std::uint8_t> pixels = MadeUpPicture(40, 56);
  ASSERT_EQ(pixels.size(), 3U * 40 * 56);
  EXPECT_EQ(pixels, MadeUpPicture(40, 56));
  EXPECT_EQ(MadeUpPicture(1, 1).size(), 3U);
  double steps = 0;
  const auto [least, most] = std::minmax_element(pixels.begin(), pixels.end());
  for (std::size_t i = 3; i < pixels.size(); ++i) steps += std::abs(pixels[i] - pixels[i - 3]);
  EXPECT_LT(steps / static_cast<double>(pixels.size()), 30);
  EXPECT_GT(*most - *least, 50);
}

TEST(RightCutsTest, WithinToleranceOfTheBest) {
  PointResult point;
  point.cuts.push_back({.cut = 0, .predicted_us = 104});
  point.cuts.push_back({.cut = 3, .predicted_us = 1, .measured = true});
  point.cuts.back().latency = {.n = 2, .mean_us = 100};
  point.cuts.push_back({.cut = 7, .predicted_us = 106});
  EXPECT_THAT(RightCuts(point, 0.05), ElementsAre(0, 3));
}

TEST(MadeUpTraceTest, IsAMinuteOfVeryDifferentRates) {
  const auto trace = MadeUpTrace();
  ASSERT_TRUE(trace.ok()) << trace.status();
  EXPECT_NEAR(static_cast<double>(trace->period_ms()), 60'000, 1'000);
  EXPECT_GT(trace->RateBps(0, 5'000'000), 20e6);
  EXPECT_LT(trace->RateBps(19'000'000, 2'000'000), 1.5e6);
}

TEST(DecisionTest, TakesSomeTime) { EXPECT_GT(MeasureDecisionUs(500), 0); }

class WorkerTest : public ::testing::Test {
 protected:
  // The device profiles itself into a cache of its own.
  WorkerTest() { setenv("CLEAVE_CACHE_DIR", folder_.path().c_str(), 1); }
  ~WorkerTest() override { unsetenv("CLEAVE_CACHE_DIR"); }

  std::vector<nlohmann::json> Converse(const std::string& requests) {
    std::istringstream in(
        rig::ToJsonLine({.model = folder_.Write("pool.onnx", PoolModel()), .batch = 2}) + "\n" +
        requests);
    std::ostringstream out;
    const absl::Status status = rig::RunDeviceWorker(in, out);
    EXPECT_TRUE(status.ok()) << status;
    std::vector<nlohmann::json> answers;
    std::istringstream lines(out.str());
    for (std::string line; std::getline(lines, line);) {
      answers.push_back(nlohmann::json::parse(line));
    }
    return answers;
  }

  const TempDir folder_;
};

TEST_F(WorkerTest, AnswersEachRequestAndStopsAtQuit) {
  const auto answers = Converse(
      "{\"op\":\"infer\",\"policy\":\"device\"}\n{\"op\":\"explain\"}\n{\"op\":\"edge\"}\n"
      "{\"op\":\"quit\"}\n{\"op\":\"edge\"}\n");
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_EQ(answers[0]["ready"]["edge_usable"], false);
  EXPECT_EQ(answers[0]["ready"]["candidates"].front(), 0);
  EXPECT_EQ(answers[1]["where"], "device");
  EXPECT_EQ(answers[1]["output_error"], 0.0);
  EXPECT_GT(answers[1]["latency_us"], 0);
  EXPECT_EQ(answers[2].back()["cut"], answers[0]["ready"]["last_cut"]);
  std::set<std::string> encodings;
  for (const auto& row : answers[2]) encodings.insert(row["encoding"].get<std::string>());
  EXPECT_TRUE(encodings.contains("fp32") && encodings.contains("q2"));
  EXPECT_EQ(answers[3]["usable"], false);
}

TEST_F(WorkerTest, WrongRequestsAreAnsweredAndEndNothing) {
  const auto answers = Converse(
      "no json\n[1]\n{\"op\":\"dance\"}\n{\"op\":\"infer\",\"policy\":\"fixed:9999\"}\n"
      "{\"op\":\"infer\",\"policy\":\"dynamic\"}\n");
  ASSERT_EQ(answers.size(), 6U);
  for (int i = 1; i <= 4; ++i) EXPECT_TRUE(answers[i].contains("error")) << answers[i];
  EXPECT_THAT(answers[3]["error"].get<std::string>(), HasSubstr("'dance'"));
  EXPECT_EQ(answers[5]["where"], "device");
}

TEST_F(WorkerTest, ARequestWithFieldsOfTheWrongTypeIsAnError) {
  const auto answers = Converse("{\"op\":5}\n{\"op\":\"infer\",\"policy\":7}\n{\"op\":\"edge\"}\n");
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(answers[1].contains("error"));
  EXPECT_TRUE(answers[2].contains("error"));
  EXPECT_TRUE(answers[3].contains("usable"));
}

TEST_F(WorkerTest, AMissingModelIsNamed) {
  std::istringstream in(rig::ToJsonLine({.model = folder_.path() + "/gone.onnx"}) + "\n");
  std::ostringstream out;
  const absl::Status status = rig::RunDeviceWorker(in, out);
  EXPECT_THAT(std::string(status.message()), HasSubstr("gone.onnx"));
}

TEST_F(WorkerTest, AFirstLineThatIsNoOptionsIsRefused) {
  for (const char* line : {"", "no options\n", "[]\n", "{\"batch\": \"two\"}\n"}) {
    std::istringstream in(line);
    std::ostringstream out;
    const absl::Status status = rig::RunDeviceWorker(in, out);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << line;
    EXPECT_THAT(std::string(status.message()), HasSubstr("standard input: found ")) << line;
  }
}

}  // namespace
}  // namespace cleave::experiments::dsc
