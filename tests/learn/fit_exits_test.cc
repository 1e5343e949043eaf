#include "learn/fit_exits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <random>

#include "core/file.h"
#include "learn/made_up_pictures.h"
#include "model/attach_exits.h"
#include "model/graph_writer.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::TempDir;
using testing::WriteMadeUpData;

std::string Read(const std::string& path) {
  const auto bytes = ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

std::vector<float> Noise(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.1F);
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

// image [batch,3,side,side] -> Conv 8x8 of stride 8 "c" (cut 1) -> Flatten "f" (cut 2) -> Gemm
// "h" (cut 3) -> Relu "relu" (cut 4) -> Gemm "y", random weights: what tells the classes apart is
// still whole at cut 2, but not in the mean of cut 1.
std::string Backbone(std::int64_t classes, std::int64_t side) {
  const std::vector<float> conv = Noise(4 * 3 * 64, 1);
  const std::int64_t flat = 4 * (side / 8) * (side / 8);
  const std::vector<float> hidden = Noise(static_cast<std::size_t>(8 * flat), 2);
  const std::vector<float> last = Noise(static_cast<std::size_t>(8 * classes), 3);
  const std::vector<float> zeros(static_cast<std::size_t>(classes) + 8, 0);
  const auto bias = [&](std::int64_t count) {
    return std::span(zeros).first(static_cast<std::size_t>(count));
  };
  GraphWriter writer("backbone");
  const std::string image = writer.Input("image", {3, side, side});
  const std::string f = writer.Flatten("f", writer.Conv("c", image, 4, 8, 8, 0, {conv, bias(4)}));
  const std::string h = writer.Relu("relu", writer.Gemm("h", f, 8, {hidden, bias(8)}));
  writer.Output(writer.Gemm("y", h, classes, {last, bias(classes)}));
  const auto bytes = writer.Serialize();
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

class FitExitsTest : public ::testing::Test {
 protected:
  FitExitsTest() {
    WriteMadeUpData(folder_);
    folder_.Write("net.onnx", Backbone(10, 32));
  }

  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  FitExitsOptions Options(const std::string& out) const {
    FitExitsOptions options;
    options.model = Path("net.onnx");
    options.cuts = {2, 1};
    options.data = folder_.path();
    options.out = Path(out);
    return options;
  }

  static FitExitsOutcome Fit(const FitExitsOptions& options) {
    const auto outcome = FitExits(options);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome.value_or(FitExitsOutcome{});
  }

  static std::string Error(const FitExitsOptions& options) {
    return std::string(FitExits(options).status().message());
  }

  std::vector<std::string> FilesOf(const std::string& stem) const {
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with(stem + ".")) files.push_back(name);
    }
    std::sort(files.begin(), files.end());
    return files;
  }

  const TempDir folder_;
};

TEST_F(FitExitsTest, GivesAModelExitsAndTellsTheirAccuracy) {
  FitExitsOptions options = Options("exits.onnx");
  std::vector<std::string> warnings;
  options.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  std::vector<std::pair<std::string, double>> progress;
  options.on_progress = [&](const std::string& what, double share) {
    progress.emplace_back(what, share);
  };
  const std::string backbone = Read(options.model);
  const FitExitsOutcome outcome = Fit(options);
  EXPECT_EQ(Read(options.model), backbone);
  EXPECT_THAT(warnings, IsEmpty());
  EXPECT_EQ(progress.front().first, "features");
  EXPECT_EQ(progress.back(), (std::pair<std::string, double>("testing the file", 1)));

  ASSERT_EQ(outcome.exits.size(), 3U);
  EXPECT_EQ(outcome.exits[0].cut, 1);
  EXPECT_EQ(outcome.exits[0].tensor.shape, (Shape{-1, 4, 4, 4}));
  EXPECT_EQ(outcome.exits[0].parameters, 10 * 4 + 10);
  EXPECT_EQ(outcome.exits[1].tensor.name, "f");
  EXPECT_EQ(outcome.exits[1].parameters, 10 * 64 + 10);
  EXPECT_GT(outcome.exits[1].evaluation.accuracy, 0.9);
  EXPECT_EQ(outcome.exits[1].training_accuracy, 1);
  EXPECT_LT(outcome.exits[0].evaluation.accuracy, outcome.exits[1].evaluation.accuracy);
  EXPECT_LE(outcome.exits[1].worst_error, 1e-4);
  EXPECT_EQ(outcome.exits[2].evaluation.name, "y");
  EXPECT_EQ(outcome.exits[2].cut, std::nullopt);
  EXPECT_TRUE(outcome.exits[2].has_accuracy());
  EXPECT_EQ(outcome.train_pictures, 200U);
  EXPECT_EQ(outcome.test_pictures, 50U);

  EXPECT_THAT(FilesOf("exits"), ElementsAre("exits.json", "exits.md", "exits.onnx"));
  EXPECT_TRUE(Preprocessing::FromSidecar(options.out, {}).ok());
  EXPECT_THAT(Read(options.card_path()),
              AllOf(HasSubstr("`net.onnx` with 2 early exits"), HasSubstr("| `exit2` | 2 | `f` |"),
                    HasSubstr("200 training and 50 test images"), HasSubstr("| truck |"),
                    HasSubstr(outcome.backbone_digest)));
}

TEST_F(FitExitsTest, TheFileOpensAndItsAccuracyIsWhatWasSaid) {
  const FitExitsOptions options = Options("exits.onnx");
  const FitExitsOutcome outcome = Fit(options);
  const auto how = Preprocessing::FromSidecar(options.out, {});
  ASSERT_TRUE(how.ok()) << how.status();
  const auto images = LoadImageSet(options.data, *how);
  ASSERT_TRUE(images.ok()) << images.status();
  const auto said = EvaluateExits(options.out, images->test, *how, 10);
  ASSERT_TRUE(said.ok()) << said.status();
  ASSERT_EQ(said->size(), 3U);
  for (std::size_t i = 0; i < said->size(); ++i) {
    EXPECT_EQ((*said)[i].name, outcome.exits[i].evaluation.name);
    EXPECT_EQ((*said)[i].confusion, outcome.exits[i].evaluation.confusion);
  }
}

TEST_F(FitExitsTest, TheSameOptionsGiveTheSameBits) {
  Fit(Options("a.onnx"));
  Fit(Options("b.onnx"));
  EXPECT_EQ(Read(Path("a.onnx")), Read(Path("b.onnx")));
  FitExitsOptions fewer = Options("c.onnx");
  fewer.limits.train = 100;
  Fit(fewer);
  EXPECT_NE(Read(Path("a.onnx")), Read(Path("c.onnx")));
  FitExitsOptions seeded = fewer;
  seeded.out = Path("d.onnx");
  seeded.limits.seed = 2;
  Fit(seeded);
  EXPECT_NE(Read(Path("c.onnx")), Read(Path("d.onnx")));
}

TEST_F(FitExitsTest, SamplesAreLimited) {
  FitExitsOptions options = Options("exits.onnx");
  options.limits.train = 33;
  options.limits.test = 7;
  options.batch = 5;
  const FitExitsOutcome outcome = Fit(options);
  EXPECT_EQ(outcome.train_pictures, 33U);
  EXPECT_EQ(outcome.test_pictures, 7U);
  options.limits.train = 9;
  EXPECT_THAT(Error(options), HasSubstr("samples: found 9, expected 10 or more"));
}

TEST_F(FitExitsTest, OtherClassesAreWarnedOf) {
  folder_.Write("net.onnx", Backbone(7, 32));
  FitExitsOptions options = Options("exits.onnx");
  std::vector<std::string> warnings;
  options.on_warning = [&](const std::string& warning) { warnings.push_back(warning); };
  const FitExitsOutcome outcome = Fit(options);
  EXPECT_THAT(warnings,
              ElementsAre(AllOf(HasSubstr("10 classes"), HasSubstr("'y'"), HasSubstr("7"))));
  EXPECT_FALSE(outcome.exits.back().has_accuracy());
  EXPECT_THAT(Read(options.card_path()), HasSubstr("other classes"));
}

TEST_F(FitExitsTest, AModelWithExitsIsRefused) {
  Fit(Options("exits.onnx"));
  FitExitsOptions again = Options("again.onnx");
  again.model = Path("exits.onnx");
  EXPECT_THAT(Error(again), HasSubstr("cleave.exits: found exit1,exit2,y"));
  EXPECT_THAT(FilesOf("again"), IsEmpty());
}

TEST_F(FitExitsTest, WhatCannotBeIsNamed) {
  FitExitsOptions options = Options("exits.onnx");
  options.cuts = {9};
  EXPECT_THAT(Error(options), AllOf(HasSubstr("net.onnx"), HasSubstr("cut 9: found no such cut")));
  options = Options("exits.bin");
  EXPECT_THAT(Error(options), HasSubstr("out: found"));
  options = Options("net.onnx");
  EXPECT_THAT(Error(options), HasSubstr("out: found the model itself"));
  options = Options("exits.onnx");
  options.batch = 0;
  EXPECT_THAT(Error(options), HasSubstr("batch: found 0"));
  options = Options("exits.onnx");
  options.data = Path("nowhere");
  EXPECT_THAT(Error(options), HasSubstr("nowhere"));
  options = Options("exits.onnx");
  options.preprocessing.width = 24;
  EXPECT_THAT(Error(options), HasSubstr("input 'image'"));
  options = Options("exits.onnx");
  options.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(FitExits(options).status()));
  EXPECT_THAT(FilesOf("exits"), IsEmpty());
}

TEST_F(FitExitsTest, ExternalDataKeepsTheFileInItsFolder) {
  onnx::ModelProto model;
  ASSERT_TRUE(model.ParseFromString(Backbone(10, 32)));
  onnx::TensorProto& weights = *model.mutable_graph()->mutable_initializer(0);
  folder_.Write("weights.bin", weights.raw_data());
  weights.clear_raw_data();
  weights.set_data_location(onnx::TensorProto::EXTERNAL);
  auto& location = *weights.add_external_data();
  location.set_key("location");
  location.set_value("weights.bin");
  folder_.Write("net.onnx", model.SerializeAsString());
  FitExitsOptions elsewhere = Options("exits.onnx");
  const TempDir other;
  elsewhere.out = other.path() + "/exits.onnx";
  EXPECT_THAT(Error(elsewhere),
              AllOf(HasSubstr("out: found the folder"), HasSubstr("external data")));
  EXPECT_EQ(Fit(Options("exits.onnx")).exits.size(), 3U);
}

// Architectures that this project did not build, with the random weights that they come with: their
// features tell the classes apart far better than chance does.
class FitExitsToZooTest : public FitExitsTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(FitExitsToZooTest, ExitsBeatChance) {
  FitExitsOptions options = Options("exits.onnx");
  options.model = std::string(CLEAVE_ZOO_DIR) + "/" + GetParam() + ".onnx";
  options.cuts = {3, 9};
  const FitExitsOutcome outcome = Fit(options);
  ASSERT_EQ(outcome.exits.size(), 3U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_GT(outcome.exits[i].evaluation.accuracy, 0.3) << outcome.exits[i].tensor.name;
  }
  EXPECT_FALSE(outcome.exits.back().has_accuracy());
}

INSTANTIATE_TEST_SUITE_P(Architectures, FitExitsToZooTest,
                         ::testing::Values("resnet18", "mobilenet_v2"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace cleave
