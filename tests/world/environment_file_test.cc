#include "world/environment_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/file.h"

namespace cleave::world {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kLeast[] =
    "[model]\nfile = \"m.onnx\"\n[link]\nkind = \"steps\"\n"
    "steps = [[1000, 50], [500, 2.5]]\n";

absl::Status Refusal(const std::string& toml) {
  return EnvironmentFile::Parse(toml, "env.toml").status();
}

TEST(EnvironmentFileTest, TheLeastFileGetsDefaults) {
  const auto file = EnvironmentFile::Parse(kLeast, "env.toml");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->model, "m.onnx");
  EXPECT_EQ(file->options.inferences, 256);
  ASSERT_EQ(file->options.world.link.steps.size(), 2U);
  EXPECT_DOUBLE_EQ(file->options.world.link.steps[1].duration_ms, 500);
  EXPECT_DOUBLE_EQ(file->options.world.link.steps[1].up_bps, 2.5e6);
}

TEST(EnvironmentFileTest, UnitsAreThoseOfTheKeys) {
  const auto file = EnvironmentFile::Parse(
      absl::StrCat(kLeast, "rtt_ms = 12.5\n[episode]\ndeadline_ms = [10, 40]\ninterval_ms = 5\n",
                   "[device]\nkind = \"walk\"\nslowdown = [2, 6]\n",
                   "[edge.queue]\nkind = \"recorded\"\nrecorded = [[100, 3]]\n",
                   "[constraints]\nmax_device_ms = 7\n"),
      "env.toml");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_DOUBLE_EQ(file->options.world.link.rtt_us, 12'500);
  EXPECT_DOUBLE_EQ(file->options.deadline_low_us, 10'000);
  EXPECT_DOUBLE_EQ(file->options.deadline_high_us, 40'000);
  EXPECT_DOUBLE_EQ(file->options.interval_us, 5'000);
  EXPECT_DOUBLE_EQ(file->options.world.device.walk_high, 6);
  EXPECT_DOUBLE_EQ(file->options.world.queue.recorded.at(0).wait_us, 3'000);
  EXPECT_DOUBLE_EQ(file->options.constraints.max_device_us.value_or(0), 7'000);
}

TEST(EnvironmentFileTest, ExamplesAreWellFormed) {
  int files = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(CLEAVE_SOURCE_DIR "/examples/environments")) {
    const std::string path = entry.path();
    const auto file = EnvironmentFile::Parse(ReadFile(path).value(), path);
    EXPECT_TRUE(file.ok()) << file.status();
    ++files;
  }
  EXPECT_GE(files, 3);
}

struct Fault {
  std::string toml;
  std::string key;
  std::string found;
  std::string expected;
};

TEST(EnvironmentFileTest, FaultsNameFileKeyFoundAndExpected) {
  const std::string least = kLeast;
  const std::string model = "[model]\nfile = \"m.onnx\"\n";
  const Fault faults[] = {
      {least + "colour = 1\n", "link.colour", "not known", "rtt_ms"},
      {least + "[weather]\nrain = 1\n", "weather", "not known", "episode"},
      {least + "rtt_ms = \"20\"\n", "link.rtt_ms", "20", "a number from"},
      {least + "rtt_ms = -1\n", "link.rtt_ms", "-1", "a number from"},
      {least + "rtt_ms = nan\n", "link.rtt_ms", "nan", "a number from"},
      {least + "rtt_ms = inf\n", "link.rtt_ms", "inf", "a number from"},
      {least + "snr_db = 3\n", "link.snr_db", "not known", "steps"},  // Another kind's key.
      {least + "[episode]\ninferences = 0\n", "episode.inferences", "0", "1 to 1000000"},
      {least + "[episode]\ninferences = 1.5\n", "episode.inferences", "1.5", "a whole number"},
      {least + "[episode]\ndeadline_ms = [40, 10]\n", "episode.deadline_ms", "40", "larger one"},
      {least + "[episode]\ndeadline_ms = []\n", "episode.deadline_ms", "[]", "a list of two"},
      {least + "[constraints]\nno_raw_input = 1\n", "constraints.no_raw_input", "1", "true"},
      {least + "[device]\nkind = \"fast\"\n", "device.kind", "fast", "constant, markov"},
      {least + "[device]\nkind = \"recorded\"\n", "device.recorded", "nothing", "a list"},
      {least + "[device]\nkind = \"recorded\"\nrecorded = [[1, 2, 3]]\n", "device.recorded", "3",
       "pairs"},
      {least + "[edge]\nqueue = 4\n", "edge.queue", "4", "a table"},
      {least + "[edge.queue]\nkind = \"others\"\narrivals_per_s = 100\nservice_ms = 20\n", "queue",
       "2", "0.95"},
      {model, "link.kind", "nothing", "kind of link"},
      {model + "[link]\nkind = \"steps\"\n", "link.steps", "nothing", "a list"},
      {model + "[link]\nkind = \"traces\"\n", "link.training.up", "nothing", "trace files"},
      {"[link]\nkind = \"rayleigh\"\n", "model.file", "nothing", "ONNX"},
      {"model = 3\n", "model", "3", "a table"},
  };
  for (const Fault& fault : faults) {
    const absl::Status status = Refusal(fault.toml);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << fault.toml;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("env.toml"), HasSubstr(fault.key), HasSubstr(fault.found),
                      HasSubstr(fault.expected)));
  }
}

TEST(EnvironmentFileTest, WhatIsNoTomlNamesTheLine) {
  EXPECT_THAT(std::string(Refusal("[model]\nfile = \n").message()), HasSubstr("env.toml:2"));
  EXPECT_THAT(std::string(Refusal("\n[^link]\n").message()), HasSubstr("env.toml:2"));
  EXPECT_THAT(std::string(Refusal("\n[link]\nrtt_ms = [1, 2\xd0\xac\n").message()),
              HasSubstr("env.toml:3"));
  EXPECT_FALSE(Refusal(std::string(5 << 20, '#')).ok());
  EXPECT_FALSE(Refusal("a = " + std::string(100'000, '[')).ok());
  EXPECT_FALSE(Refusal(std::string("\0\xff\x1b[31m", 7)).ok());
}

TEST(OpenEnvironmentTest, FilesAtFaultAreNamed) {
  EXPECT_THAT(
      std::string(
          OpenEnvironment("/nowhere.toml", {.part = TracePart::kTraining}).status().message()),
      HasSubstr("/nowhere.toml"));
  const std::string folder = ::testing::TempDir() + "/open_environment";
  std::filesystem::remove_all(folder);
  const auto open = [&](const std::string& toml) {
    EXPECT_TRUE(WriteFileAtomically(folder + "/env.toml", toml).ok());
    return std::string(
        OpenEnvironment(folder + "/env.toml", {.part = TracePart::kHeldOut}).status().message());
  };
  const std::string traces = "[model]\nfile = \"m.onnx\"\n[link]\nkind = \"traces\"\n";
  EXPECT_THAT(open(traces + "[link.training]\nup = \"*.up\"\n[link.held_out]\nup = \"b.up\"\n"),
              HasSubstr("*.up"));
  EXPECT_TRUE(WriteFileAtomically(folder + "/a.up", "1\n2\n").ok());
  EXPECT_TRUE(WriteFileAtomically(folder + "/b.up", "1\n5\n").ok());
  EXPECT_THAT(open(traces + "[link.training]\nup = \"*.up\"\n[link.held_out]\nup = \"b.up\"\n"),
              AllOf(HasSubstr("held_out"), HasSubstr("b.up")));
  EXPECT_THAT(open(traces + "[link.training]\nup = \"a.up\"\n[link.held_out]\nup = \"b.up\"\n"),
              HasSubstr("m.onnx"));
}

TEST(OpenEnvironmentTest, TracesComeFromAFolderThatIsNamedOrAreGiven) {
  const std::string folder = ::testing::TempDir() + "/environment_traces";
  std::filesystem::remove_all(folder);
  const std::string file = folder + "/env.toml";
  EXPECT_TRUE(WriteFileAtomically(file,
                                  "[model]\nfile = \"m.onnx\"\n[link]\nkind = \"traces\"\n"
                                  "[link.training]\nup = \"a.up\"\n"
                                  "[link.held_out]\nup = \"b.up\"\n")
                  .ok());
  EXPECT_TRUE(WriteFileAtomically(folder + "/traces/a.up", "1\n2\n").ok());
  EXPECT_TRUE(WriteFileAtomically(folder + "/traces/b.up", "1\n5\n").ok());
  const auto fault = [&](const TraceSource& source) {
    return std::string(OpenEnvironment(file, source).status().message());
  };
  EXPECT_THAT(fault({.part = TracePart::kHeldOut}),
              AllOf(HasSubstr("a.up"), HasSubstr("--traces-dir")));
  // What is missing next is the model.
  EXPECT_THAT(fault({.part = TracePart::kHeldOut, .folder = folder + "/traces"}),
              HasSubstr("m.onnx"));
  const absl::StatusOr<Trace> trace = Trace::Load(folder + "/traces/b.up");
  ASSERT_TRUE(trace.ok()) << trace.status();
  const TracePair given = {.name = "b", .up = std::make_shared<const Trace>(*trace)};
  EXPECT_THAT(fault({.part = TracePart::kHeldOut, .given = {given}}), HasSubstr("m.onnx"));
}

}  // namespace
}  // namespace cleave::world
