// The real program: edge, devices and relay as processes, on a model that takes no time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <sstream>
#include <string>

#include "device/models.h"
#include "emulate/process.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::dsc {
namespace {

using ::cleave::testing::EarlyOutputModel;
using ::cleave::testing::TempDir;
using ::testing::HasSubstr;

constexpr std::int64_t kPatienceUs = 170'000'000;

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class ExperimentTest : public ::testing::Test {
 protected:
  std::unique_ptr<emulate::Process> Start(std::vector<std::string> flags) {
    std::vector<std::string> argv = {
        CLEAVE_PROGRAM, "experiment", "dsc", "--models",       model_, "--relay", "--short", "-o",
        json_,          "--report",   html_, "--device-share", "1"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    auto process =
        emulate::Process::Start({.argv = argv, .stderr_path = folder_.path() + "/stderr"});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  Results Finish(emulate::Process& process) {
    const auto exit_status = process.Wait(kPatienceUs);
    EXPECT_TRUE(exit_status.ok()) << exit_status.status();
    EXPECT_EQ(exit_status.value_or(-1), 0) << Read(folder_.path() + "/stderr");
    const auto results = FromJson(Read(json_), json_);
    EXPECT_TRUE(results.ok()) << results.status();
    return results.value_or(Results{});
  }

  const TempDir folder_;
  const std::string model_ = folder_.Write("tiny.onnx", EarlyOutputModel());
  const std::string json_ = folder_.path() + "/dsc.json";
  const std::string html_ = folder_.path() + "/dsc.html";
};

TEST_F(ExperimentTest, MeasuresAPointAndLosesNothingWhenTheEdgeIsKilled) {
  const Results results =
      Finish(*Start({"--parts", "grid,kills", "--rates", "20", "--batches", "2"}));
  ASSERT_EQ(results.points.size(), 1U);
  const PointResult& point = results.points[0];
  EXPECT_EQ(point.problem, "");
  EXPECT_GE(point.cuts.size(), 3U);
  for (const CutResult& cut : point.cuts) {
    EXPECT_TRUE(cut.measured) << cut.cut;
    EXPECT_GT(cut.latency.median_us, 0) << cut.cut;
  }
  EXPECT_GT(point.regret, 0);
  EXPECT_EQ(point.dynamic.samples.size(), static_cast<std::size_t>(point.dynamic.latency.n));
  EXPECT_TRUE(results.meta.complete);
  EXPECT_FALSE(results.meta.device_share_enforced);
  EXPECT_EQ(results.kills.lost, 0);
  EXPECT_THAT(Read(html_), HasSubstr("<title>cleave"));
  ASSERT_EQ(results.encodings.size(), 1U);
  ASSERT_EQ(results.encodings[0].rates.size(), 1U);
  EXPECT_EQ(results.encodings[0].rates[0].choices.front().encoding, Encoding::kFp32);

  const Results again =
      Finish(*Start({"--parts", "grid", "--rates", "20,50", "--batches", "2", "--resume"}));
  ASSERT_EQ(again.points.size(), 2U);
  EXPECT_EQ(again.points[0].seconds, point.seconds);
  EXPECT_EQ(again.kills.kills, results.kills.kills);
  ASSERT_EQ(again.encodings.size(), 1U);
  EXPECT_EQ(again.encodings[0].rates.size(), 2U);
}

TEST_F(ExperimentTest, ATermSignalLeavesWhatWasMeasured) {
  const auto process = Start({"--parts", "grid", "--rates", "5,10,20,50,100", "--batches", "1,2"});
  for (int i = 0; i < 600 && Read(json_).empty(); ++i) {
    EXPECT_FALSE(process->Wait(100'000).ok()) << "ended by itself";
  }
  process->Signal(SIGTERM);
  const Results results = Finish(*process);
  EXPECT_GE(results.points.size(), 1U);
  EXPECT_LT(results.points.size(), 10U);
  EXPECT_FALSE(results.meta.complete);
}

TEST_F(ExperimentTest, AWrongResultFileIsRefused) {
  folder_.Write("dsc.json", "{\"meta\":{\"schema\":\"something else\"}}");
  const auto process = Start({"--parts", "grid", "--resume"});
  const auto exit_status = process->Wait(kPatienceUs);
  EXPECT_EQ(exit_status.value_or(-1), 1);
  EXPECT_THAT(Read(folder_.path() + "/stderr"), HasSubstr("dsc.json: meta.schema"));
}

}  // namespace
}  // namespace cleave::experiments::dsc
