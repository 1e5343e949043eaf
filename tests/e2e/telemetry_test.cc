// ONNX Runtime as PyPI has it reports its use to its maker; cleave does not let it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "e2e/processes.h"
#include "emulate/process.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using testing::kLong;

class TelemetryTest : public testing::ProcessTest {};

TEST_F(TelemetryTest, AModelThatRunsLeavesNoTraceOfReports) {
  const std::string model = folder_.Write("net.onnx", testing::PoolModel());
  const std::string home = folder_.path() + "/home";
  std::filesystem::create_directory(home);
  emulate::ProcessOptions options;
  options.argv = {CLEAVE_PROGRAM, "run", model, "--json"};
  options.environment = {{"CLEAVE_CACHE_DIR", folder_.path() + "/cache"},
                         {"HOME", home},
                         {"XDG_CACHE_HOME", home + "/.cache"}};
  const auto process = emulate::Process::Start(std::move(options));
  ASSERT_TRUE(process.ok()) << process.status();
  const auto pid = (*process)->pid();
  ASSERT_EQ((*process)->Wait(kLong).value_or(-1), 0);
  EXPECT_TRUE(std::filesystem::is_empty(home)) << "reports wait here to be sent";
  EXPECT_FALSE(std::filesystem::exists(absl::StrCat("/tmp/mat-debug-", pid, ".log")));
}

}  // namespace
}  // namespace cleave
