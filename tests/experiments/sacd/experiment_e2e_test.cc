// The experiment on learned policies with the real program behind a relay: what it reports adds up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "core/file.h"
#include "emulate/process.h"
#include "experiments/sacd/results.h"
#include "support/tiny_models.h"

namespace cleave::experiments::sacd {
namespace {

using cleave::testing::TempDir;
using ::testing::HasSubstr;

constexpr std::int64_t kPatienceUs = 350'000'000;
constexpr int kClasses = 10;
constexpr int kBlock = 3;
constexpr int kInferences = 6;
constexpr int kCourses = 2;
constexpr int kEpisode = 8;

constexpr char kEnvironment[] = R"(
[model]
file = "alexnet_cifar10.onnx"
picture_bytes = 900
[episode]
inferences = 8
interval_ms = 30
deadline_ms = 200
[link]
kind = "steps"
steps = [[400, 20.0], [400, 2.0]]
rtt_ms = 4
[device]
kind = "markov"
slowdown = 1
busy_slowdown = 2
mean_idle_ms = 300
mean_busy_ms = 300
)";

std::string Picture(int seed) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < 32 * 32 * 3; ++i) {
    pixels.push_back(static_cast<std::uint8_t>((i / 96 * 7 + i % 96 * (seed + 1)) % 256));
  }
  return EncodeJpeg(pixels, 32, 32, 90).value();
}

class SacdExperimentTest : public ::testing::Test {
 protected:
  SacdExperimentTest() {
    for (const char* name : {"/alexnet_cifar10.onnx", "/alexnet_cifar10.json"}) {
      std::filesystem::copy_file(std::string(CLEAVE_MODELS_DIR) + name, folder_.path() + name);
    }
    folder_.Write("env.toml", kEnvironment);
    for (int label = 0; label < kClasses; ++label) {
      const std::string folder = absl::StrCat("data/", label, "_class");
      std::filesystem::create_directories(absl::StrCat(folder_.path(), "/", folder));
      folder_.Write(absl::StrCat(folder, "/0.jpg"), Picture(label));
    }
  }

  std::unique_ptr<emulate::Process> Start(const std::vector<std::string>& flags) {
    std::vector<std::string> argv = {CLEAVE_PROGRAM,
                                     "experiment",
                                     "sacd",
                                     folder_.path() + "/alexnet_cifar10.onnx",
                                     "--env",
                                     folder_.path() + "/env.toml",
                                     "--data",
                                     folder_.path() + "/data",
                                     "--relay",
                                     "--courses",
                                     absl::StrCat(kCourses),
                                     "--block",
                                     absl::StrCat(kBlock),
                                     "--warmup",
                                     "1",
                                     "-o",
                                     json_,
                                     "--report",
                                     html_};
    argv.insert(argv.end(), flags.begin(), flags.end());
    auto process =
        emulate::Process::Start({.argv = argv,
                                 .environment = {{"CLEAVE_CACHE_DIR", folder_.path() + "/cache"}},
                                 .stderr_path = folder_.path() + "/stderr"});
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  Results Finish(emulate::Process& process) {
    const auto exit_status = process.Wait(kPatienceUs);
    EXPECT_EQ(exit_status.value_or(-1), 0) << ReadFile(folder_.path() + "/stderr").value_or("");
    const auto json = ReadFile(json_);
    EXPECT_TRUE(json.ok()) << json.status();
    const auto results = FromJson(json.value_or(""), json_);
    EXPECT_TRUE(results.ok()) << results.status();
    return results.value_or(Results{});
  }

  // Whole blocks of whole cycles, each inference once, none lost.
  static void ExpectWholeBlocks(const Real& real, int cycles) {
    EXPECT_EQ(real.rows.size(), real.steps.size());
    for (const Row& row : real.rows) {
      SCOPED_TRACE(row.policy);
      const std::vector<Step>& steps = real.steps.at(row.policy);
      EXPECT_EQ(row.inferences, cycles * kBlock);
      ASSERT_EQ(steps.size(), static_cast<std::size_t>(cycles * kBlock));
      std::map<int, int> blocks;
      std::int64_t misses = 0;
      for (const Step& step : steps) {
        ++blocks[step.unit];
        misses += step.missed() ? 1 : 0;
        EXPECT_GT(step.latency_us, 0);
        EXPECT_GT(step.replayed_us, 0);
        EXPECT_GT(step.up_bps, 0);
        EXPECT_GE(step.accuracy, 0);
        EXPECT_LE(step.accuracy, 1);
        EXPECT_TRUE(step.where == Where::kDevice || step.bytes_up > 0);
      }
      EXPECT_EQ(misses, row.misses);
      EXPECT_EQ(static_cast<int>(blocks.size()), cycles);
      for (const auto& [unit, count] : blocks) EXPECT_EQ(count, kBlock) << unit;
    }
  }

  const TempDir folder_;
  const std::string json_ = folder_.path() + "/sacd.json";
  const std::string html_ = folder_.path() + "/sacd.html";
};

TEST_F(SacdExperimentTest, BothPartsAddUp) {
  const auto process = Start({"--inferences", absl::StrCat(kInferences)});
  const Results results = Finish(*process);
  EXPECT_TRUE(results.simulated.complete);
  EXPECT_EQ(results.simulated.rows.size(), 10U);
  for (const Row& row : results.simulated.rows) {
    EXPECT_EQ(row.inferences, kCourses * kEpisode) << row.policy;
  }
  EXPECT_EQ(results.simulated.timelines.size(), 3U);
  EXPECT_TRUE(results.real.complete);
  ASSERT_EQ(results.real.rows.size(), 10U);
  ExpectWholeBlocks(results.real, kInferences / kBlock);
  for (const Step& step : results.real.steps.at(kDeviceOnly)) EXPECT_EQ(step.where, Where::kDevice);
  EXPECT_GE(results.real.stolen_share.value_or(-1), 0);
  EXPECT_EQ(results.ranking.real.size(), 10U);
  EXPECT_EQ(results.goals.size(), 8U);
  for (const rig::Goal& goal : results.goals) {
    const bool needs_sacd = goal.id != "replay_error" && goal.id != "same_ranking";
    EXPECT_EQ(goal.met == rig::Met::kUnknown, needs_sacd) << goal.id;
  }
  EXPECT_THAT(ReadFile(html_).value_or(""), HasSubstr("<title>cleave: learned policies"));
}

TEST_F(SacdExperimentTest, ATermSignalLeavesWholeCycles) {
  const auto process = Start({"--parts", "real", "--inferences", "3000"});
  for (int i = 0; i < 1800 && ReadFile(json_).value_or("").empty(); ++i) {
    ASSERT_FALSE(process->Wait(100'000).ok()) << "ended by itself";
  }
  process->Signal(SIGTERM);
  const Results results = Finish(*process);
  EXPECT_FALSE(results.real.complete);
  ASSERT_FALSE(results.real.rows.empty());
  const auto cycles = static_cast<int>(results.real.rows.front().inferences / kBlock);
  EXPECT_GE(cycles, 1);
  ExpectWholeBlocks(results.real, cycles);
}

TEST_F(SacdExperimentTest, AWrongEnvironmentIsNamed) {
  folder_.Write("env.toml", "[link]\nkind = \"imagined\"\n");
  const auto process = Start({});
  EXPECT_EQ(process->Wait(kPatienceUs).value_or(-1), 1);
  EXPECT_THAT(ReadFile(folder_.path() + "/stderr").value_or(""), HasSubstr("env.toml"));
}

}  // namespace
}  // namespace cleave::experiments::sacd
