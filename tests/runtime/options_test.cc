#include "runtime/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cleave {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

TEST(ProviderSpecTest, ParsesNameAndOptions) {
  const auto plain = ProviderSpec::Parse("CPU");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->name, "CPU");
  EXPECT_TRUE(plain->options.empty());
  const auto cuda = ProviderSpec::Parse("CUDA:gpu_mem_limit=1024,device_id=0");
  ASSERT_TRUE(cuda.ok()) << cuda.status();
  EXPECT_EQ(cuda->name, "CUDA");
  EXPECT_EQ(cuda->options.at("gpu_mem_limit"), "1024");
  EXPECT_EQ(cuda->ToString(), "CUDA:device_id=0,gpu_mem_limit=1024");
  const auto again = ProviderSpec::Parse(cuda->ToString());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->options, cuda->options);
}

TEST(ProviderSpecTest, ValuesMayHoldColonsAndEqualSigns) {
  const auto spec = ProviderSpec::Parse("TensorRT:path=C:\\x=y");
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(spec->options.at("path"), "C:\\x=y");
}

TEST(ProviderSpecTest, RefusesWhatIsNotTheGrammar) {
  for (const char* text :
       {"", " ", ":a=b", "CUDA:", "CUDA:a", "CUDA:=1", "CUDA:a=1,", "CUDA:a=1,a=2"}) {
    const auto spec = ProviderSpec::Parse(text);
    ASSERT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_THAT(std::string(spec.status().message()), HasSubstr("expected NAME")) << text;
  }
}

TEST(RuntimeOptionsTest, CpuIsAlwaysThereInAnyCase) {
  EXPECT_THAT(AvailableProviders(), Contains("CPU"));
  for (const char* name : {"CPU", "cpu"}) {
    RuntimeOptions options;
    options.provider.name = name;
    EXPECT_TRUE(options.Validate().ok()) << options.Validate();
  }
}

TEST(RuntimeOptionsTest, UnknownProviderIsRefusedWithTheListOfThoseAvailable) {
  RuntimeOptions options;
  options.provider.name = "Abacus";
  const absl::Status status = options.Validate();
  ASSERT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Abacus"));
  for (const std::string& name : AvailableProviders()) {
    EXPECT_THAT(std::string(status.message()), HasSubstr(name));
  }
}

TEST(RuntimeOptionsTest, RefusesNoThreads) {
  RuntimeOptions options;
  options.threads = 0;
  EXPECT_EQ(options.Validate().code(), absl::StatusCode::kInvalidArgument);
}

TEST(OnnxRuntimeVersionTest, IsAVersion) {
  EXPECT_THAT(OnnxRuntimeVersion(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+.*"));
}

}  // namespace
}  // namespace cleave
