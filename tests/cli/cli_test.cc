#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "emulate/process.h"
#include "profile/accuracy_table.h"
#include "support/branchy_model.h"
#include "support/odd_models.h"
#include "support/picture_files.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using Json = nlohmann::json;
using testing::AddNode;
using testing::Describe;
using testing::EmptyModel;
using ::testing::HasSubstr;
using testing::PoolModel;
using testing::TempDir;

constexpr std::int64_t kLong = 60'000'000;

struct Ran {
  int exit_code = -1;
  std::string out;
  std::string err;
};

class CliTest : public ::testing::Test {
 protected:
  std::unique_ptr<emulate::Process> Start(const std::vector<std::string>& args) {
    emulate::ProcessOptions options;
    options.argv = {program_};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    return Start(std::move(options));
  }

  std::unique_ptr<emulate::Process> Start(emulate::ProcessOptions options) {
    options.environment = {{"CLEAVE_CACHE_DIR", folder_.path() + "/cache"}};
    options.stderr_path = folder_.path() + "/stderr";
    auto process = emulate::Process::Start(std::move(options));
    EXPECT_TRUE(process.ok()) << process.status();
    return *std::move(process);
  }

  Ran Run(const std::vector<std::string>& args) { return Finish(Start(args)); }

  // With standard output to a file or device.
  Ran RunInto(const std::string& path, const std::vector<std::string>& args) {
    emulate::ProcessOptions options;
    options.argv = {"/bin/sh", "-c", "exec \"$@\" > " + path, "sh", program_};
    options.argv.insert(options.argv.end(), args.begin(), args.end());
    return Finish(Start(std::move(options)));
  }

  Ran Finish(const std::unique_ptr<emulate::Process>& process) {
    Ran ran;
    for (auto line = process->ReadLine(kLong); line.ok(); line = process->ReadLine(kLong)) {
      ran.out += *line + "\n";
    }
    ran.exit_code = process->Wait(kLong).value_or(-1);
    std::ostringstream err;
    err << std::ifstream(folder_.path() + "/stderr").rdbuf();
    ran.err = err.str();
    return ran;
  }

  Json RunJson(const std::vector<std::string>& args) {
    const Ran ran = Run(args);
    EXPECT_EQ(ran.exit_code, 0) << ran.err;
    return Json::parse(ran.out);
  }

  // Exit code 1 and a message that names all of `parts`.
  void ExpectRefused(const std::vector<std::string>& args, const std::vector<std::string>& parts) {
    const Ran ran = Run(args);
    EXPECT_EQ(ran.exit_code, 1) << args.front() << ": " << ran.out;
    for (const std::string& part : parts) EXPECT_THAT(ran.err, HasSubstr(part)) << args.front();
  }

  std::string Tiny() const { return folder_.Write("tiny.onnx", PoolModel()); }

  const TempDir folder_;
  std::string program_ = CLEAVE_PROGRAM;
};

std::vector<std::string> Keys(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST_F(CliTest, InspectPrintsTheCutsAsJson) {
  const Json report = RunJson({"inspect", Tiny(), "--batch", "2", "--json"});
  for (const char* key : {"model", "digest", "batch", "inputs", "outputs", "cuts", "counts"}) {
    EXPECT_TRUE(report.contains(key)) << key;
  }
  EXPECT_EQ(report["batch"], 2);
  EXPECT_EQ(report["digest"].get<std::string>().size(), 64U);
  EXPECT_THAT(Keys(report["counts"]),
              ::testing::UnorderedElementsAre("cuts", "frontier", "natural_bottlenecks"));
  ASSERT_EQ(report["cuts"].size(), report["counts"]["cuts"].get<std::size_t>());
  int bottlenecks = 0;
  for (std::size_t i = 0; i < report["cuts"].size(); ++i) {
    const Json& cut = report["cuts"][i];
    EXPECT_THAT(Keys(cut), ::testing::IsSupersetOf({"index", "tensors", "elements", "bytes",
                                                    "compression_ratio", "natural_bottleneck",
                                                    "frontier", "macs_before"}));
    EXPECT_EQ(cut["index"], i);
    EXPECT_EQ(cut["bytes"].get<int>(), 4 * cut["elements"].get<int>());
    EXPECT_EQ(cut["tensors"][0]["shape"][0], 2);
    EXPECT_EQ(cut["natural_bottleneck"].get<bool>(), cut["compression_ratio"].get<double>() < 1)
        << i;
    bottlenecks += cut["natural_bottleneck"].get<bool>() ? 1 : 0;
  }
  EXPECT_EQ(report["counts"]["natural_bottlenecks"], bottlenecks);
}

TEST_F(CliTest, InspectShowsEveryExit) {
  const std::string path = folder_.Write("branchy.onnx", testing::BranchyModel());
  const Json report = RunJson({"inspect", path, "--json"});
  EXPECT_THAT(report["kind"]["text"].get<std::string>(), ::testing::StartsWith("scores of "));
  EXPECT_EQ(report["kind"]["detects"], false);
  const Json exits = report["exits"];
  ASSERT_EQ(exits.size(), 3U);
  for (const Json& exit : exits) {
    EXPECT_THAT(Keys(exit),
                ::testing::IsSupersetOf({"name", "macs", "cuts", "candidates", "fork"}));
    EXPECT_EQ(exit["cuts"].size(), exit["counts"]["cuts"].get<std::size_t>());
    EXPECT_EQ(exit["cuts"].back()["tensors"][0]["name"], exit["name"]);
    EXPECT_EQ(exit["candidates"].back(), exit["cuts"].back()["index"]);
  }
  EXPECT_EQ(exits[0]["name"], "exit1");
  const std::size_t fork = exits[0]["fork"]["cut"].get<std::size_t>();
  EXPECT_EQ(exits[0]["cuts"][fork]["tensors"][0]["name"], "pool1");
  EXPECT_LT(exits[0]["macs"].get<int>(), exits[2]["macs"].get<int>());

  const Json one = RunJson({"inspect", path, "--exit", "1", "--json"})["exits"];
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0], exits[1]);
  const std::string text = Run({"inspect", path}).out;
  EXPECT_THAT(text, HasSubstr("outputs: scores of "));
  EXPECT_THAT(text, ::testing::AllOf(HasSubstr("exit 0  exit1"), HasSubstr("exit 2  exit3")));
  EXPECT_THAT(Run({"inspect", path, "--exit", "2"}).out,
              ::testing::AllOf(HasSubstr("exit 2  exit3"), ::testing::Not(HasSubstr("exit1"))));
  ExpectRefused({"inspect", path, "--exit", "3"}, {"branchy.onnx", "found 3", "0 to 2"});
  ExpectRefused({"inspect", Tiny(), "--exit", "1"}, {"tiny.onnx", "found 1"});
  ExpectRefused({"inspect", folder_.Write("bad.onnx", testing::BranchyModel("exit1,conv1"))},
                {"bad.onnx", "cleave.exits", "'conv1'"});
}

TEST_F(CliTest, InspectShowsWhatCalibrationFound) {
  const std::string path = folder_.Write("branchy.onnx", testing::BranchyModel());
  const Json before = RunJson({"inspect", path, "--json"});
  EXPECT_FALSE(before.contains("calibration"));
  EXPECT_FALSE(before["exits"][2].contains("accuracy"));
  const int last = before["exits"][2]["candidates"].back().get<int>();
  AccuracyTable::About about;
  about.model_digest = before["digest"].get<std::string>();
  about.data_digest = std::string(64, 'd');
  about.samples = 200;
  const auto table = AccuracyTable::Create(about, {{{0, 0, Encoding::kFp32}, 120, 4000, 0},
                                                   {{0, 0, Encoding::kQ8}, 117, 1000, 0},
                                                   {{2, 0, Encoding::kFp32}, 160, 4000, 0},
                                                   {{2, 0, Encoding::kQ8}, 158, 1000, 0},
                                                   {{2, 0, Encoding::kQ4}, 157, 500, 0},
                                                   {{2, 0, Encoding::kJpeg50}, 160, 300, 0},
                                                   {{2, last, Encoding::kFp32}, 160, 0, 0}});
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_TRUE(table->Save(path).ok());

  const Json after = RunJson({"inspect", path, "--json"});
  EXPECT_EQ(after["calibration"]["samples"], 200);
  const Json& deep = after["exits"][2];
  EXPECT_EQ(deep["accuracy"]["share"], 0.8);
  EXPECT_LT(deep["accuracy"]["low"].get<double>(), 0.8);
  EXPECT_EQ(deep["cuts"][0]["within_1_point"], "q8");
  EXPECT_EQ(deep["cuts"][0]["accuracy"]["q4"], 157.0 / 200);
  EXPECT_EQ(after["exits"][0]["cuts"][0]["within_1_point"], "fp32");
  EXPECT_FALSE(deep["cuts"][1].contains("accuracy"));
  EXPECT_FALSE(after["exits"][1].contains("accuracy"));
  const std::string text = Run({"inspect", path}).out;
  EXPECT_THAT(text, ::testing::AllOf(HasSubstr("80.0% right, the last"), HasSubstr("q8 79.0%"),
                                     HasSubstr("60.0% right, forks"), HasSubstr("fp32 60.0%"),
                                     HasSubstr("calibrated on 200 samples")));
}

TEST_F(CliTest, InspectTellsOfACalibrationOfAnotherModel) {
  const std::string path = Tiny();
  AccuracyTable::About about;
  about.model_digest = std::string(64, 'a');
  about.data_digest = std::string(64, 'd');
  about.samples = 10;
  const auto table = AccuracyTable::Create(about, {{{0, 0, Encoding::kFp32}, 9, 100, 0}});
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_TRUE(table->Save(path).ok());
  const Ran ran = Run({"inspect", path});
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.err, ::testing::AllOf(HasSubstr("warning"), HasSubstr(std::string(64, 'a'))));
  EXPECT_THAT(ran.out, ::testing::Not(HasSubstr("within 1 point")));
}

TEST_F(CliTest, InspectDrawsAPlot) {
  const std::string plot = folder_.path() + "/plot.svg";
  EXPECT_EQ(Run({"inspect", Tiny(), "--plot", plot}).exit_code, 0);
  std::ostringstream svg;
  svg << std::ifstream(plot).rdbuf();
  EXPECT_THAT(svg.str(), HasSubstr("<svg"));
  EXPECT_THAT(svg.str(), HasSubstr("</svg>"));
}

TEST_F(CliTest, VerifyPromisesThatSplittingCostsNothing) {
  const Json report = RunJson({"verify", Tiny(), "--cuts", "all", "--json"});
  EXPECT_EQ(report["worst_abs_error"], 0);
  EXPECT_GT(report["time_ratio_median"].get<double>(), 0);
  ASSERT_GT(report["cuts"].size(), 2U);
  for (const Json& cut : report["cuts"]) {
    EXPECT_THAT(Keys(cut), ::testing::IsSupersetOf({"index", "max_abs_error", "bit_exact"}));
    EXPECT_TRUE(cut["bit_exact"].get<bool>());
  }
}

TEST_F(CliTest, AProfileOfAnotherModelIsRefused) {
  const std::string profile = folder_.path() + "/profile.json";
  ASSERT_EQ(Run({"profile", Tiny(), "--batches", "1", "-o", profile}).exit_code, 0);
  EXPECT_EQ(Run({"run", Tiny(), "--profile", profile}).exit_code, 0);
  onnx::ModelProto other = EmptyModel();
  Describe("x", {-1, 3, 8, 8}, *other.mutable_graph()->add_input());
  Describe("y", {-1, 3, 8, 8}, *other.mutable_graph()->add_output());
  AddNode(*other.mutable_graph(), "Relu", {"x"}, "y");
  ExpectRefused(
      {"run", folder_.Write("other.onnx", other.SerializeAsString()), "--profile", profile},
      {profile, "model"});
}

TEST_F(CliTest, HostileModelsAreNamed) {
  const std::string whole = PoolModel();
  ExpectRefused({"inspect", folder_.Write("half.onnx", whole.substr(0, whole.size() / 2))},
                {"half.onnx"});
  ExpectRefused({"inspect", folder_.Write("text.onnx", "this is no model")}, {"text.onnx"});
  ExpectRefused({"inspect", folder_.path() + "/none.onnx"}, {"none.onnx"});
  ExpectRefused({"inspect", folder_.path()}, {folder_.path()});

  onnx::ModelProto unknown = EmptyModel();
  Describe("x", {1, 4}, *unknown.mutable_graph()->add_input());
  Describe("y", {1, 4}, *unknown.mutable_graph()->add_output());
  AddNode(*unknown.mutable_graph(), "Frobnicate", {"x"}, "y");
  ExpectRefused({"verify", folder_.Write("unknown.onnx", unknown.SerializeAsString())},
                {"unknown.onnx", "Frobnicate"});

  onnx::ModelProto cycle = EmptyModel();
  Describe("x", {1, 4}, *cycle.mutable_graph()->add_input());
  Describe("y", {1, 4}, *cycle.mutable_graph()->add_output());
  AddNode(*cycle.mutable_graph(), "Add", {"x", "y"}, "a");
  AddNode(*cycle.mutable_graph(), "Relu", {"a"}, "y");
  ExpectRefused({"inspect", folder_.Write("cycle.onnx", cycle.SerializeAsString())},
                {"cycle.onnx", "cycle"});
}

TEST_F(CliTest, HostileInputsAreNamed) {
  ExpectRefused({"run", Tiny(), "--input", folder_.Write("a.jpg", "no image")}, {"a.jpg"});
  ExpectRefused({"run", Tiny(), "--input", folder_.Write("a.npy", "\x93NUMPY")}, {"a.npy"});
  ExpectRefused({"link", "--to", "127.0.0.1:1", "--trace", folder_.Write("t.up", "1\n2\nthree\n")},
                {"t.up", "three"});
  ExpectRefused({"run", Tiny(), "--provider", "Abacus"}, {"Abacus", "CPU"});
}

TEST_F(CliTest, AFreeShapeIsGuessedSaidAndSet) {
  const std::string model =
      folder_.Write("free.onnx", testing::FreeSizeModel().SerializeAsString());
  const Ran guessed = Run({"inspect", model, "--json"});
  ASSERT_EQ(guessed.exit_code, 0) << guessed.err;
  EXPECT_EQ(Json::parse(guessed.out)["inputs"][0]["shape"], (Json{1, 3, 320, 320}));
  EXPECT_THAT(guessed.err, HasSubstr("dimension 2 ('H') is free, taken as 320 (--shape x="));
  const Json set = RunJson({"inspect", model, "--json", "--shape", "x=2,3,64,32"});
  EXPECT_EQ(set["inputs"][0]["shape"], (Json{2, 3, 64, 32}));
  EXPECT_EQ(set["batch"], 2);
  EXPECT_EQ(Run({"verify", model, "--shape", "x=1,3,33,47"}).exit_code, 0);
  const Ran ran = Run({"run", model, "--shape", "x=1,3,48,-1", "--json"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  const Ran profiled = Run({"profile", model, "--shape", "x=1,3,40,40", "--batches", "1,2"});
  EXPECT_EQ(profiled.exit_code, 0) << profiled.err;
  EXPECT_THAT(profiled.out, HasSubstr("2x3x40x40"));
  EXPECT_EQ(Run({"explain", model, "--rate", "1mbit", "--shape", "x=1,3,24,24"}).exit_code, 0);
  ExpectRefused({"inspect", model, "--shape", "x=1,4,8,8"}, {"1x4x8x8", "?x3x?x?"});
  ExpectRefused({"run", model, "--shape", "x"}, {"--shape", "NAME=1,3,320,320"});
}

TEST_F(CliTest, ABrokenPictureIsNamedSkippedAndCounted) {
  const std::string model = folder_.Write("pool.onnx", PoolModel());
  const TempDir pictures;
  for (const char* name : {"a.png", "c.png"})
    pictures.Write(name, testing::PlainPng(8, 8, 200, 100, 50));
  pictures.Write("b.png", "no picture");
  for (const char* batch : {"1", "3"}) {
    const Ran ran = Run({"run", model, "--input", pictures.path(), "--json", "--batch", batch});
    EXPECT_EQ(ran.exit_code, 1);
    EXPECT_THAT(ran.err, HasSubstr("skipped"));
    EXPECT_THAT(ran.err, HasSubstr("b.png"));
    const Json summary = Json::parse(ran.out.substr(ran.out.rfind("{\"summary\"")))["summary"];
    EXPECT_EQ(summary["skipped"], 1) << batch;
    EXPECT_EQ(summary["inferences"], 2) << batch;
  }
}

TEST_F(CliTest, InputsAreTakenAsTheModelHasThem) {
  const auto npy = [&](const std::string& name, const std::string& shape, std::size_t floats) {
    std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
    header.resize(117, ' ');
    header += '\n';
    return folder_.Write(name, std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header +
                                   std::string(floats * 4, '\0'));
  };
  const std::string vector =
      folder_.Write("vector.onnx", testing::VectorModel().SerializeAsString());
  const Ran whole = Run({"run", vector, "--input", npy("v.npy", "16,", 16), "--json"});
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(Json::parse(whole.out.substr(whole.out.rfind("{\"summary\"")))["summary"]["inferences"],
            1);

  onnx::ModelProto equals = testing::VectorModel();
  equals.mutable_graph()->mutable_input(0)->set_name("in=put");
  for (std::string& input : *equals.mutable_graph()->mutable_node(0)->mutable_input()) {
    input = "in=put";
  }
  const std::string named = folder_.Write("equals.onnx", equals.SerializeAsString());
  EXPECT_EQ(Run({"run", named, "--input", "in=put=" + npy("w.npy", "16,", 16)}).exit_code, 0);
}

// The segment behind the addition is what ONNX Runtime dies of where its optimizer is not avoided.
TEST_F(CliTest, HalfPrecisionThatEndedProcessesRuns) {
  const std::string model =
      folder_.Write("half.onnx", testing::HalfTransposeModel().SerializeAsString());
  const Ran ran = Run({"run", model, "--cuts", "all"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
}

// Each process may use a second of processor time, which the trial exceeds and the program does
// not.
TEST_F(CliTest, AModelThatEndsAProcessIsNamedAndTheProgramLives) {
  const std::string model = folder_.Write("slow.onnx", testing::SlowModel(4000));
  emulate::ProcessOptions options;
  options.argv = {"/bin/sh", "-c", "ulimit -t 1; exec \"$@\"", "sh", program_, "run", model};
  const Ran died = Finish(Start(std::move(options)));
  EXPECT_EQ(died.exit_code, 1) << died.err;
  EXPECT_THAT(died.err, HasSubstr("slow.onnx: a run of the whole model ended a process"));
}

TEST_F(CliTest, ModelsOfStringsAreInspectedVerifiedAndRun) {
  const std::string model =
      folder_.Write("category.onnx", testing::CategoryModel().SerializeAsString());
  const Json report = RunJson({"inspect", model, "--json"});
  EXPECT_EQ(report["inputs"][0]["dtype"], "BYTES");
  EXPECT_GT(report["cuts"].size(), 4U);
  EXPECT_FALSE(report.contains("obstacles") && !report["obstacles"].empty());
  const Json verified = RunJson({"verify", model, "--cuts", "all", "--json"});
  for (const Json& cut : verified["cuts"]) EXPECT_EQ(cut["bit_exact"], true) << cut;

  std::string header = "{'descr': '|S5', 'fortran_order': False, 'shape': (2, 2), }";
  header.resize(117, ' ');
  const std::string npy =
      folder_.Write("texts.npy", std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header + "\n" +
                                     std::string("red\0\0smallgreenlarge", 20));
  const Ran ran = Run({"run", model, "--input", npy, "--plain"});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, ::testing::ContainsRegex("texts.npy.0.: '(stop|go|wait)'; class "));
}

TEST_F(CliTest, InspectSaysWhereItCannotCut) {
  const std::string model = folder_.Write("seq.onnx", testing::SequenceModel().SerializeAsString());
  const Json report = RunJson({"inspect", model, "--json"});
  ASSERT_EQ(report["obstacles"].size(), 1U);
  EXPECT_THAT(report["obstacles"][0]["why"].get<std::string>(), HasSubstr("'s'"));
  EXPECT_THAT(Run({"inspect", model}).out, HasSubstr("not offered: 1 cut"));
}

TEST_F(CliTest, RunShowsTheAnswerFirst) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 32, 32), }";
  header.resize(117, ' ');
  header += '\n';
  const std::string npy = std::string("\x93NUMPY\x01\x00\x76\x00", 10) + header;
  const std::string file = folder_.Write("grey.npy", npy + std::string(3 * 32 * 32 * 4, '\0'));
  const std::string model = CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx";

  const Ran shown = Run({"run", model, "--input", file, "--plain"});
  ASSERT_EQ(shown.exit_code, 0) << shown.err;
  const std::string first = shown.out.substr(0, shown.out.find('\n'));
  EXPECT_THAT(first, ::testing::MatchesRegex(".*grey\\.npy: [a-z]+ [0-9.]+%.*"));
  EXPECT_THAT(first, ::testing::Not(HasSubstr("class ")));

  const std::string few = folder_.Write("few.txt", "cat\ndog\n");
  ExpectRefused({"run", model, "--input", file, "--labels", few}, {"few.txt", "2 classes", "10"});
}

TEST_F(CliTest, APortInUseIsSaid) {
  const std::unique_ptr<emulate::Process> first =
      Start({"serve", Tiny(), "--listen", "127.0.0.1:0"});
  const auto line = first->WaitForLine("listening on ", kLong);
  ASSERT_TRUE(line.ok()) << line.status();
  const std::string address = line->substr(line->rfind(' ') + 1);
  ExpectRefused({"serve", Tiny(), "--listen", address}, {address});
  first->Signal(SIGTERM);
  EXPECT_EQ(first->Wait(kLong).value_or(-1), 0);
}

TEST_F(CliTest, CalibrateRefusesFlagsThatMakeNoSense) {
  EXPECT_EQ(Run({"calibrate", Tiny()}).exit_code, 2);
  EXPECT_EQ(Run({"calibrate", Tiny(), "--data", folder_.path(), "--samples", "0"}).exit_code, 2);
  EXPECT_EQ(Run({"calibrate", Tiny(), "--data", folder_.path(), "--batch", "-1"}).exit_code, 2);
  ExpectRefused({"calibrate", Tiny(), "--data", folder_.path(), "--encodings", "q8,q7"},
                {"found 'q7'", "fp32 fp16 q8"});
  ExpectRefused({"calibrate", Tiny(), "--data", folder_.path(), "--cuts", "most"}, {"most"});
  ExpectRefused({"calibrate", folder_.path() + "/none.onnx", "--data", folder_.path()},
                {"none.onnx"});
}

TEST_F(CliTest, TrainSaysWhereThereIsNoLibTorch) {
  const std::filesystem::path built = std::filesystem::path(CLEAVE_PROGRAM).parent_path();
  const std::string alone = folder_.path() + "/bin/cleave";  // No cleave-train beside it.
  std::filesystem::create_directory(folder_.path() + "/bin");
  std::filesystem::copy_file(CLEAVE_PROGRAM, alone);
  // It finds its own libraries from where it is.
  std::filesystem::create_directory_symlink(built.parent_path() / "lib", folder_.path() + "/lib");
  program_ = alone;
  ExpectRefused({"train", "alexnet", "--data", "none"}, {"no LibTorch", "CLEAVE_LEARN=OFF"});
  ExpectRefused({"train", "--help"}, {"no LibTorch", "CLEAVE_LEARN=OFF"});
  ExpectRefused({"exits", "none.onnx", "--at", "1"}, {"exits", "no LibTorch", "CLEAVE_LEARN=OFF"});
}

#ifdef CLEAVE_HAS_LEARN
TEST_F(CliTest, TrainPassesEverythingOn) {
  const Ran help = Run({"train", "alexnet", "--help"});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  EXPECT_THAT(help.out, HasSubstr("--data"));
  EXPECT_EQ(Run({"train"}).exit_code, 2);
  EXPECT_EQ(Run({"train", "alexnet"}).exit_code, 2);
  EXPECT_EQ(Run({"train", "alexnet", "--data", ".", "--epochs", "many"}).exit_code, 2);
  ExpectRefused({"train", "alexnet", "--data", folder_.path()},
                {"cleave train", folder_.path(), "data_batch_1.bin"});
}

// The options that a subcommand's help lists.
std::set<std::string> FlagsIn(const std::string& help) {
  std::set<std::string> flags;
  const std::regex flag("(^|\n) +(?:-[a-z],)?(--[a-z-]+)");
  for (std::sregex_iterator at(help.begin(), help.end(), flag), end; at != end; ++at) {
    flags.insert((*at)[2]);
  }
  return flags;
}

TEST_F(CliTest, ThePolicysCardHasACommandWithEveryFlagThatChangesIt) {
  std::set<std::string> flags = FlagsIn(Run({"train", "policy", "--help"}).out);
  for (const char* without : {"--help", "--threads", "--resume"})
    EXPECT_EQ(flags.erase(without), 1U);
  EXPECT_GE(flags.size(), 18U);
  const std::string out = folder_.path() + "/p.onnx";
  const Ran ran = Run({"train", "policy", "--env", CLEAVE_ENVIRONMENTS "/gauss_markov.toml",
                       "--seeds", "1", "--steps", "2100", "--eval-every", "1050", "--eval-episodes",
                       "1", "--patience", "3", "--traces-dir", folder_.path(), "-o", out});
  ASSERT_EQ(ran.exit_code, 0) << ran.err;
  std::ostringstream card;
  card << std::ifstream(folder_.path() + "/p.md").rdbuf();
  const std::string page = card.str();
  const std::size_t start = page.find("`cleave train policy ");
  ASSERT_NE(start, std::string::npos) << page;
  const std::string command = page.substr(start, page.find('\n', start) - start);
  for (const std::string& flag : flags) EXPECT_THAT(command, HasSubstr(" " + flag + " "));
  for (const char* given :
       {"--steps 2100", "--eval-every 1050", "--eval-episodes 1", "--patience 3"}) {
    EXPECT_THAT(command, HasSubstr(given));
  }
}

TEST_F(CliTest, ExitsNamesWhatIsWrong) {
  const Ran help = Run({"exits", "--help"});
  EXPECT_EQ(help.exit_code, 0) << help.err;
  EXPECT_THAT(help.out, HasSubstr("cleave exits"));
  EXPECT_THAT(help.out, HasSubstr("--at"));
  EXPECT_EQ(Run({"exits"}).exit_code, 2);
  EXPECT_EQ(Run({"exits", Tiny()}).exit_code, 2);
  const std::string out = folder_.path() + "/out.onnx";
  EXPECT_EQ(Run({"exits", Tiny(), "--at", "one", "--data", ".", "-o", out}).exit_code, 2);
  ExpectRefused({"exits", Tiny(), "--at", "1,9", "--data", folder_.path(), "-o", out},
                {"cleave exits", "tiny.onnx", "cut 9"});
  ExpectRefused({"exits", Tiny(), "--at", "1", "--data", folder_.path(), "-o", out},
                {"cleave exits", folder_.path(), "train/CLASS/"});
  ExpectRefused({"exits", Tiny(), "--at", "1", "--data", folder_.path(), "-o", Tiny()},
                {"cleave exits", "out", "the model itself"});
}

TEST_F(CliTest, ExitsWritesAModelThatInspectReads) {
  for (const char* file : {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                           "data_batch_4.bin", "data_batch_5.bin", "test_batch.bin"}) {
    std::string records;
    for (int label = 0; label < 10; ++label) {
      records.push_back(static_cast<char>(label));
      records.append(3072, static_cast<char>(20 * label + file[11] % 5));
    }
    folder_.Write(file, records);
  }
  onnx::ModelProto model = EmptyModel();
  Describe("x", {-1, 3, 32, 32}, *model.mutable_graph()->add_input());
  Describe("y", {-1, 3, 32, 32}, *model.mutable_graph()->add_output());
  AddNode(*model.mutable_graph(), "Relu", {"x"}, "r");
  AddNode(*model.mutable_graph(), "Neg", {"r"}, "y");
  const std::string out = folder_.path() + "/out.onnx";
  const Ran ran = Run({"exits", folder_.Write("relu.onnx", model.SerializeAsString()), "--at", "1",
                       "--data", folder_.path(), "-o", out, "--samples", "30"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("exit1"));
  EXPECT_THAT(ran.out, HasSubstr("30 training and 10 test pictures"));
  EXPECT_THAT(ran.err, HasSubstr("warning"));
  const Json report = RunJson({"inspect", out, "--json"});
  ASSERT_EQ(report["exits"].size(), 2U);
}
#endif

TEST_F(CliTest, OutputThatCannotBeWrittenIsAFailure) {
  const std::string model = Tiny();
  for (const std::vector<std::string>& args : {std::vector<std::string>{"--help"},
                                               {"--version"},
                                               {"inspect", model},
                                               {"inspect", model, "--json"},
                                               {"verify", model},
                                               {"profile", model, "--batches", "1"},
                                               {"explain", model},
                                               {"run", model},
                                               {"run", model, "--json"}}) {
    const Ran ran = RunInto("/dev/full", args);
    EXPECT_EQ(ran.exit_code, 1) << args.front();
    EXPECT_THAT(ran.err, HasSubstr("standard output: not all could be written")) << args.front();
  }
}

TEST_F(CliTest, APortThatIsNoneIsRefused) {
  const std::string model = Tiny();
  const std::string wrong = "127.0.0.1:99999";
  const std::string said = "found '" + wrong + "', expected HOST:PORT";
  ExpectRefused({"serve", model, "--listen", wrong}, {"listen", said});
  ExpectRefused({"link", "--listen", wrong, "--to", "127.0.0.1:1"}, {"listen", said});
  ExpectRefused({"link", "--to", wrong}, {"to", said});
  ExpectRefused({"run", model, "--edge", wrong}, {"edge", said});
  ExpectRefused({"explain", model, "--edge", wrong}, {"edge", said});
  ExpectRefused({"profile", model, "--edge", wrong, "--batches", "1"}, {"edge", said});
}

TEST_F(CliTest, ACacheThatOthersMayWriteToIsNotUsed) {
  const std::string cache = folder_.path() + "/cache";
  std::filesystem::create_directory(cache);
  std::filesystem::permissions(cache, std::filesystem::perms::all);
  const Ran ran = Run({"run", Tiny()});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err,
              HasSubstr("the cache is not used: " + cache + ": found the permissions 777"));
  EXPECT_TRUE(std::filesystem::is_empty(cache));
  ExpectRefused({"profile", Tiny(), "--batches", "1"}, {cache});
}

TEST_F(CliTest, ExitCodesFollowTheHabit) {
  EXPECT_EQ(Run({"--help"}).exit_code, 0);
  EXPECT_EQ(Run({"inspect", "--help"}).exit_code, 0);
  EXPECT_EQ(Run({}).exit_code, 2);
  EXPECT_EQ(Run({"frobnicate"}).exit_code, 2);
  EXPECT_EQ(Run({"inspect"}).exit_code, 2);
  EXPECT_EQ(Run({"inspect", Tiny(), "--batch", "many"}).exit_code, 2);
  EXPECT_EQ(Run({"inspect", Tiny(), "--no-such-flag"}).exit_code, 2);
  EXPECT_EQ(Run({"inspect", Tiny(), "--cuts", "few"}).exit_code, 1);
}

}  // namespace
}  // namespace cleave
