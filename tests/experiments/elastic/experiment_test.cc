// Both experiments on elastic models, with the real program behind a relay and next to nothing to
// measure.
#include "experiments/elastic/experiment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "core/file.h"
#include "experiments/exits/experiment.h"
#include "support/tiny_models.h"

namespace cleave::experiments::elastic {
namespace {

using ::testing::HasSubstr;
using testing::TempDir;
using Json = nlohmann::json;

constexpr int kClasses = 10;

// The trained network, which is calibrated, and two pictures of each class that show nothing.
class ElasticExperimentsTest : public ::testing::Test {
 protected:
  ElasticExperimentsTest() {
    for (int label = 0; label < kClasses; ++label) {
      const std::string folder = absl::StrCat("data/", label, "_class");
      std::filesystem::create_directories(absl::StrCat(folder_.path(), "/", folder));
      for (int i = 0; i < 2; ++i) {
        folder_.Write(absl::StrCat(folder, "/", i, ".jpg"), Picture(2 * label + i));
      }
    }
  }

  static std::string Picture(int seed) {
    std::vector<std::uint8_t> pixels;
    for (int i = 0; i < 32 * 32 * 3; ++i) {
      pixels.push_back(static_cast<std::uint8_t>((i / 96 * 7 + i % 96 * (seed + 1)) % 256));
    }
    return EncodeJpeg(pixels, 32, 32, 90).value();
  }

  // What both have in common.
  template <typename Options>
  Options Prepared() {
    Options options;
    options.model = CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx";
    options.data = folder_.path() + "/data";
    options.device_share = 1;
    options.force_relay = true;
    options.output = folder_.path() + "/results.json";
    options.program = CLEAVE_PROGRAM;
    options.on_progress = [this](const std::string& line) { progress_.push_back(line); };
    return options;
  }

  elastic::Options Elastic() {
    auto options = Prepared<elastic::Options>();
    options.rates_bps = {5e6, 50e6};
    options.batch = 2;
    options.inferences = 2;
    options.settle_us = 50'000;
    options.warmup = 1;
    return options;
  }

  exits::Options Exits() {
    auto options = Prepared<exits::Options>();
    options.thresholds = {"", "entropy:0.5", "0"};
    options.pictures = 3;
    return options;
  }

  const TempDir folder_;
  std::vector<std::string> progress_;
};

int Sum(const std::map<std::string, int>& counts) {
  return std::accumulate(counts.begin(), counts.end(), 0,
                         [](int sum, const auto& count) { return sum + count.second; });
}

TEST_F(ElasticExperimentsTest, EveryPolicyIsMeasuredAtEveryRate) {
  const elastic::Options options = Elastic();
  const auto results = elastic::RunExperiment(options, "the command");
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_TRUE(results->complete);
  EXPECT_EQ(results->command, "the command");
  EXPECT_THAT(results->link, HasSubstr("relay"));
  EXPECT_FALSE(results->device_slowed);
  EXPECT_EQ(results->calibration_samples, 2000);
  const std::vector<std::string> policies = elastic::Policies();
  ASSERT_EQ(results->cells.size(), 2 * policies.size());
  for (std::size_t i = 0; i < results->cells.size(); ++i) {
    const elastic::Cell& cell = results->cells[i];
    SCOPED_TRACE(absl::StrCat(cell.policy, " at ", cell.rate_bps));
    EXPECT_EQ(cell.policy, policies[i % policies.size()]);
    EXPECT_EQ(cell.rate_bps, options.rates_bps[i / policies.size()]);
    EXPECT_EQ(cell.inferences, 2);
    EXPECT_EQ(cell.pictures, 4);
    EXPECT_LE(cell.right, cell.pictures);
    EXPECT_EQ(Sum(cell.plans), 2);
    EXPECT_GT(cell.mean_us, 0);
    EXPECT_GT(cell.predicted_us, 0);
    EXPECT_GT(cell.expected_accuracy, 0.7);
    if (cell.policy == "device only") {
      EXPECT_EQ(cell.bytes_up, 0);
      EXPECT_EQ(cell.plans.begin()->first, "17/fp32/4");
    }
    if (cell.policy == "edge only, fp32") {
      EXPECT_EQ(cell.plans.begin()->first, "0/fp32/4");
      EXPECT_GT(cell.bytes_up, 3 * 32 * 32 * 4) << "of two pictures, perhaps compressed";
    }
    if (cell.policy == "edge only, JPEG") {
      EXPECT_EQ(cell.plans.begin()->first, "0/jpeg/4");
      EXPECT_GT(cell.bytes_up, 0);
      EXPECT_LT(cell.bytes_up, 3 * 32 * 32 * 4);
    }
  }
  ASSERT_EQ(results->agreements.size(), policies.size());
  for (std::size_t i = 0; i < policies.size(); ++i) {
    EXPECT_EQ(results->agreements[i].policy, policies[i]);
    EXPECT_EQ(results->agreements[i].pictures, 8);
  }

  const Json json = Json::parse(ReadFile(options.output).value());
  EXPECT_EQ(json, Json::parse(elastic::ToJson(*results)));
  EXPECT_EQ(json["cells"].size(), results->cells.size());
  EXPECT_EQ(json["cells"][0]["way"], "device only");
  EXPECT_EQ(json["batch"], 2);
  const std::string text = elastic::ToText(*results);
  for (const std::string& policy : policies) {
    EXPECT_THAT(text, HasSubstr(absl::StrCat("| ", policy, " |")));
  }
  EXPECT_THAT(text, HasSubstr("5.00 Mbit/s"));
  EXPECT_THAT(text, HasSubstr("50.0 Mbit/s"));
  EXPECT_THAT(text, HasSubstr("0/jpeg/4"));
  EXPECT_FALSE(progress_.empty());
}

TEST_F(ElasticExperimentsTest, EveryThresholdIsMeasuredUnderBothPolicies) {
  const exits::Options options = Exits();
  const auto results = exits::RunExperiment(options, "the command");
  ASSERT_TRUE(results.ok()) << results.status();
  EXPECT_THAT(results->exits, ::testing::ElementsAre("exit1", "exit2", "exit3", "exit4", "exit5"));
  ASSERT_EQ(results->rows.size(), 6U);
  for (std::size_t i = 0; i < results->rows.size(); ++i) {
    const exits::Row& row = results->rows[i];
    SCOPED_TRACE(absl::StrCat(row.threshold, " ", WhereName(row.where)));
    EXPECT_EQ(row.threshold, options.thresholds[i / 2]);
    EXPECT_EQ(row.where, i % 2 == 0 ? Where::kDevice : Where::kSplit);
    EXPECT_EQ(row.pictures, 3);
    EXPECT_LE(row.right, 3);
    EXPECT_GT(row.mean_us, 0);
    ASSERT_EQ(row.exit_share.size(), 5U);
    EXPECT_NEAR(std::accumulate(row.exit_share.begin(), row.exit_share.end(), 0.0), 1, 1e-9);
    if (row.threshold.empty()) {
      EXPECT_EQ(row.exit_share[4], 1) << "nobody leaves early";
    }
    if (row.threshold == "0") {
      EXPECT_EQ(row.exit_share[0], 1) << "everybody leaves at once";
    }
    if (row.where == Where::kDevice) {
      EXPECT_EQ(row.bytes_up, 0);
      EXPECT_EQ(row.fallbacks, 0);
    }
  }
  const Json json = Json::parse(ReadFile(options.output).value());
  EXPECT_EQ(json, Json::parse(exits::ToJson(*results)));
  EXPECT_EQ(json["rows"][2]["threshold"], "entropy:0.5");
  const std::string text = exits::ToText(*results);
  for (const char* start : {"| none: last exit | device |", "| none: last exit | split |",
                            "| entropy:0.5 | device |", "| 0 | split |"}) {
    EXPECT_THAT(text, HasSubstr(start));
  }
  EXPECT_THAT(text, HasSubstr("exit5 |\n"));
  EXPECT_EQ(progress_.size(), 3U);
}

TEST_F(ElasticExperimentsTest, OptionsOfElasticThatCannotBeAreRefusedByName) {
  const auto error = [&](const auto& spoil) {
    elastic::Options options = Elastic();
    spoil(options);
    const absl::Status status = elastic::RunExperiment(options, "").status();
    EXPECT_FALSE(std::filesystem::exists(options.output));
    return std::string(status.message());
  };
  EXPECT_THAT(error([](auto& o) { o.rates_bps.clear(); }), HasSubstr("rates: found none"));
  EXPECT_THAT(error([](auto& o) { o.rates_bps.push_back(0); }), HasSubstr("rates: found 0"));
  EXPECT_THAT(error([](auto& o) { o.batch = 0; }), HasSubstr("batch: found 0"));
  EXPECT_THAT(error([](auto& o) { o.inferences = 0; }), HasSubstr("inferences: found 0"));
  EXPECT_THAT(error([](auto& o) { o.warmup = -1; }), HasSubstr("warmup: found -1"));
  EXPECT_THAT(error([](auto& o) { o.device_share = 0; }), HasSubstr("device_share: found 0"));
  EXPECT_THAT(error([](auto& o) { o.device_share = 2; }), HasSubstr("device_share: found 2"));
  EXPECT_THAT(error([](auto& o) { o.accuracy_drop = 2; }), HasSubstr("accuracy_drop: found 2"));
  EXPECT_THAT(error([](auto& o) { o.model = "/nowhere.onnx"; }), HasSubstr("/nowhere.onnx"));
  EXPECT_THAT(error([](auto& o) { o.data = "/nowhere"; }), HasSubstr("data: found '/nowhere'"));
}

TEST_F(ElasticExperimentsTest, AModelThatIsNotCalibratedIsRefused) {
  elastic::Options options = Elastic();
  options.model = folder_.path() + "/alexnet.onnx";
  std::filesystem::copy_file(CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx", options.model);
  const absl::Status status = elastic::RunExperiment(options, "").status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("alexnet"));
}

TEST_F(ElasticExperimentsTest, OptionsOfExitsThatCannotBeAreRefusedByName) {
  const auto error = [&](const auto& spoil) {
    exits::Options options = Exits();
    spoil(options);
    const absl::Status status = exits::RunExperiment(options, "").status();
    EXPECT_FALSE(std::filesystem::exists(options.output));
    return std::string(status.message());
  };
  EXPECT_THAT(error([](auto& o) { o.pictures = 0; }), HasSubstr("pictures: found 0"));
  EXPECT_THAT(error([](auto& o) { o.rate_bps = 0; }), HasSubstr("rate: found 0"));
  EXPECT_THAT(error([](auto& o) { o.device_share = 1.5; }), HasSubstr("device_share: found 1.5"));
  EXPECT_THAT(error([](auto& o) { o.thresholds.clear(); }), HasSubstr("thresholds: found none"));
  EXPECT_THAT(error([](auto& o) { o.thresholds.push_back("very"); }),
              HasSubstr("thresholds: exit_confidence: found 'very'"));
  EXPECT_THAT(error([](auto& o) { o.data = "/nowhere"; }), HasSubstr("data: found '/nowhere'"));
  const std::string plain = folder_.Write("pool.onnx", testing::PoolModel());
  EXPECT_THAT(error([&](auto& o) { o.model = plain; }), HasSubstr("pool.onnx: has no exits"));
}

}  // namespace
}  // namespace cleave::experiments::elastic
