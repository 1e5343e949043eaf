// One real run, device and edge as processes of their own, against the environment's code.
#include "e2e/replay_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "e2e/processes.h"
#include "emulate/relay.h"
#include "world/environment_file.h"

namespace cleave {
namespace {

using testing::Json;
using testing::RunOutput;

// Stated in docs/environment.md. Wide, since this test shares its processors with others.
constexpr double kMostMedianError = 0.2;
constexpr int kPassesOfEach = 12;

class ReplayTest : public testing::ProcessTest {
 protected:
  ReplayTest() {
    cuts_ = "frontier";
    for (const char* name : {"/alexnet_cifar10.onnx", "/alexnet_cifar10.json"}) {
      std::filesystem::copy_file(std::string(CLEAVE_MODELS_DIR) + name, folder_.path() + name);
    }
  }

  std::string RecordsOf(const std::string& target, const std::string& policy) {
    const RunOutput output = Run(model_, {"--edge", target, "--policy", policy, "--repeat",
                                          absl::StrCat(kPassesOfEach), "--timeout", "60s"});
    EXPECT_EQ(output.exit_code, 0) << LastErrors();
    std::string lines;
    for (const Json& record : output.records) absl::StrAppend(&lines, record.dump(), "\n");
    return lines;
  }

  const std::string model_ = folder_.path() + "/alexnet_cifar10.onnx";
};

TEST_F(ReplayTest, TheEnvironmentForetellsARealRun) {
  const auto [edge, target] = Serve(model_);
  const auto relay = emulate::Relay::Start({.to = target,
                                            .up = {.rate_bps = 4e6, .delay_us = 5'000},
                                            .down = {.rate_bps = 4e6, .delay_us = 5'000}});
  ASSERT_TRUE(relay.ok()) << relay.status();
  const std::string through = absl::StrCat("127.0.0.1:", (*relay)->port());
  std::string lines;
  for (const char* policy : {"edge", "fixed:6", "fixed:6/q4", "fixed:3/q8", "device"}) {
    lines += RecordsOf(through, policy);
  }
  // The profile that the processes measured.
  ASSERT_EQ(setenv("CLEAVE_CACHE_DIR", (folder_.path() + "/cache").c_str(), 1), 0);
  const std::string file = folder_.Write(
      "env.toml",
      "[model]\nfile = \"alexnet_cifar10.onnx\"\n[link]\nkind = \"steps\"\nsteps = [[1000, 4]]\n");
  const auto environment = world::OpenEnvironment(file, {.part = world::TracePart::kTraining});
  ASSERT_TRUE(environment.ok()) << environment.status();
  const auto replayed = ReplayRecords((*environment)->table(), lines, "the run");
  ASSERT_TRUE(replayed.ok()) << replayed.status();
  EXPECT_EQ(replayed->runs.size() + static_cast<std::size_t>(replayed->fallbacks),
            std::size_t{5} * kPassesOfEach);
  EXPECT_GE(replayed->runs.size(), std::size_t{4} * kPassesOfEach);
  EXPECT_LT(replayed->MedianError(), kMostMedianError);
  RecordProperty("median_error_percent", static_cast<int>(100 * replayed->MedianError()));
}

}  // namespace
}  // namespace cleave
