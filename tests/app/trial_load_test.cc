#include "app/trial_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "support/odd_models.h"

namespace cleave::app {
namespace {

using ::testing::HasSubstr;

TEST(RunTrialLoadTest, SaysWhereItIs) {
  const testing::TempDir folder;
  const std::string model = folder.Write("free.onnx", testing::FreeSizeModel().SerializeAsString());
  std::ostringstream out;
  const absl::Status loaded =
      RunTrialLoad({.model = model, .cuts = "all", .shapes = {"x=1,3,16,16"}}, out);
  ASSERT_TRUE(loaded.ok()) << loaded;
  EXPECT_THAT(out.str(), HasSubstr("loading segment 1 of 4\n"));
  EXPECT_THAT(out.str(), HasSubstr("loading segment 4 of 4\n"));
  EXPECT_THAT(out.str(), HasSubstr("a run of all segments\n"));
}

TEST(RunTrialLoadTest, ErrorsAreThoseOfLoading) {
  const testing::TempDir folder;
  std::ostringstream out;
  EXPECT_FALSE(RunTrialLoad({.model = folder.Write("text.onnx", "no model")}, out).ok());
}

}  // namespace
}  // namespace cleave::app
