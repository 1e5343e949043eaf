#include "learn/train_bottleneck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "codec/codec_file.h"
#include "codec/image.h"
#include "codec/picture.h"
#include "core/file.h"
#include "core/named_tensors.h"
#include "fit/tensor_fit.h"
#include "learn/bottleneck_pictures.h"
#include "model/graph_writer.h"
#include "model/insert_bottleneck.h"
#include "runtime/chain.h"
#include "support/temp_dir.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int kSide = 32;

// The squared difference of all floats.
absl::StatusOr<Distortion> Squares(const std::vector<NamedTensor>& reference,
                                   const std::vector<NamedTensor>& changed) {
  Distortion distortion;
  for (const NamedTensor& before : reference) {
    const Tensor& after = *FindTensor(changed, before.name);
    std::vector<float> gradient;
    for (std::size_t i = 0; i < after.floats().size(); ++i) {
      const float change = after.floats()[i] - before.tensor.floats()[i];
      distortion.squared += static_cast<double>(change) * change;
      gradient.push_back(2 * change);
    }
    distortion.gradient.push_back(
        {before.name, *Tensor::FromFloats(after.shape(), std::move(gradient))});
  }
  return distortion;
}

// A network of two convolutions and a linear layer, pictures of waves, and a codec of the tensor
// behind the first convolution.
class TrainBottleneckTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new testing::TempDir;
    WriteModel();
    std::mt19937 random(2);
    for (int i = 0; i < 20; ++i) WritePicture(absl::StrCat("p", i, ".jpg"), random);
    WriteCodec();
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }

  static std::string Path(const std::string& name) { return folder_->path() + "/" + name; }

  static void WriteModel() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal(0, 0.2F);
    const auto weights = [&](std::size_t count) {
      std::vector<float> values(count);
      for (float& value : values) value = normal(random);
      return values;
    };
    const std::vector<float> first = weights(8 * 48);
    const std::vector<float> second = weights(96 * 72);
    const std::vector<float> last = weights(96 * 3);
    const std::vector<float> bias = weights(96);
    const auto few = [&](std::size_t count) { return std::span(bias).first(count); };
    GraphWriter writer("net");
    const std::string x = writer.Input("x", {3, kSide, kSide});
    const std::string relu =
        writer.Relu("relu", writer.Conv("conv", x, 8, 4, 2, 1, {first, few(8)}));
    const std::string next = writer.Conv("next", relu, 96, 3, 2, 1, {second, few(96)});
    const std::string mean = writer.GlobalAveragePool("mean", writer.Relu("next_relu", next));
    writer.Output(writer.Gemm("y", writer.Flatten("flat", mean), 3, {last, few(3)}));
    ASSERT_TRUE(writer.Save(Path("net.onnx")).ok());
    ASSERT_TRUE(
        WriteFileAtomically(Path("net.json"),
                            R"({"preprocessing": {"fit": "stretch", "height": 32, "width": 32}})")
            .ok());
  }

  static void WritePicture(const std::string& name, std::mt19937& random) {
    std::vector<std::uint8_t> pixels;
    const double a = 1e-9 * static_cast<double>(random() % 600'000'000);
    const double b = 1e-9 * static_cast<double>(random() % 600'000'000);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        for (int colour = 0; colour < 3; ++colour) {
          const double wave = std::sin(a * x + b * y + colour);
          pixels.push_back(
              static_cast<std::uint8_t>(120 + 90 * wave + static_cast<double>(random() % 30)));
        }
      }
    }
    const auto file = EncodeJpeg(pixels, kSide, kSide, 95);
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_TRUE(WriteFileAtomically(Path(name), *file).ok());
  }

  static std::string Picture(int i) { return Path(absl::StrCat("p", i, ".jpg")); }

  static void WriteCodec() {
    const auto graph = Graph::Load(Path("net.onnx"));
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto table = BuildCutTable(**graph, 1);
    ASSERT_TRUE(table.ok()) << table.status();
    CutList cuts{table->order, {}};
    for (const CutInfo& info : table->cuts) {
      cuts.cuts.push_back(info.cut);
      if (info.cut.tensors.front() == "relu") cut_ = info.cut.index;
    }
    const int last = static_cast<int>(cuts.cuts.size()) - 1;
    const auto chain = Chain::Create(*graph, cuts, {0, cut_, last}, RuntimeOptions());
    ASSERT_TRUE(chain.ok()) << chain.status();
    const auto how = Preprocessing::FromSidecar(Path("net.onnx"), Preprocessing());
    std::vector<Tensor> samples;
    std::vector<std::vector<NamedTensor>> answers;
    for (int i = 0; i < 12; ++i) {
      const auto input = ShowPicture(Picture(i), *how, ShownPart());
      ASSERT_TRUE(input.ok()) << input.status();
      const auto head = (*chain)->Run(0, 1, {{"x", *input}});
      samples.push_back(head->tensors.front().tensor);
      answers.push_back(*RunToOutputs(**chain, 1, head->tensors, {}));
    }
    TensorFitOptions options;
    options.finest_distortion = 1e-4;
    const auto codec = FitTensorCodec(
        samples,
        [&](std::size_t sample, const Tensor& changed) -> absl::StatusOr<Response> {
          const auto outputs = RunToOutputs(**chain, 1, {{"relu", changed}}, {});
          std::vector<float> change;
          for (std::size_t i = 0; i < 3; ++i) {
            change.push_back(outputs->front().tensor.floats()[i] -
                             answers[sample].front().tensor.floats()[i]);
          }
          return Sketch(change);
        },
        options);
    ASSERT_TRUE(codec.ok()) << codec.status();
    const CodecFile::About about = {(*graph)->digest(), std::string(64, 'a'), 12};
    ASSERT_TRUE(
        WriteFileAtomically(Path("net.codec"), CodecFile::Write(about, {{"relu", *codec}})).ok());
  }

  static BottleneckOptions Options(const std::string& out) {
    BottleneckOptions options;
    options.model = Path("net.onnx");
    options.cut = cut_;
    for (int i = 0; i < 15; ++i) options.training.push_back(Picture(i));
    for (int i = 15; i < 20; ++i) options.measuring.push_back(Picture(i));
    options.measure = Squares;
    options.out = Path(out);
    options.steps = 12;
    options.batch = 2;
    options.record_every = 6;
    options.threads = 2;
    return options;
  }

  static std::string Read(const std::string& path) {
    const auto bytes = ReadFile(path);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value_or("");
  }

  static testing::TempDir* folder_;
  static int cut_;
};

testing::TempDir* TrainBottleneckTest::folder_ = nullptr;
int TrainBottleneckTest::cut_ = 0;

TEST_F(TrainBottleneckTest, TheLossFalls) {
  BottleneckOptions options = Options("better");
  options.steps = 150;
  options.batch = 4;
  options.record_every = 25;
  const auto outcome = TrainBottleneck(options);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->steps, 150);
  EXPECT_EQ(outcome->tensor, "relu");
  EXPECT_EQ(outcome->codec_alone.size(), 6U);
  ASSERT_EQ(outcome->records.size(), 6U);
  EXPECT_LT(outcome->records.back().loss, 0.9 * outcome->records.front().loss);
  EXPECT_LE(10 * outcome->encoder_macs, outcome->model_macs);
}

TEST_F(TrainBottleneckTest, TheModelWithTheBottleneckHasTheLatentTensor) {
  BottleneckOptions options = Options("inside");
  options.combined = Path("combined.onnx");
  const auto outcome = TrainBottleneck(options);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  const auto graph = Graph::Load(options.combined);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_GE((*graph)->FindTensor(kLatentName), 0);
  for (const std::string& path : {options.encoder_path(), options.decoder_path()}) {
    const auto file = Graph::Load(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ((*file)->inputs().size(), 1U);
  }
  EXPECT_THAT(Read(options.card_path()), AllOf(HasSubstr("`relu`"), HasSubstr("12 of 12")));
}

TEST_F(TrainBottleneckTest, ItIsTheSameWithAnotherNumberOfThreadsAndWhenItGoesOn) {
  BottleneckOptions whole = Options("whole");
  whole.threads = 1;
  ASSERT_TRUE(TrainBottleneck(whole).ok());
  BottleneckOptions parts = Options("parts");
  // It is stopped behind the first record.
  parts.on_progress = [&parts](const BottleneckProgress& now) {
    if (now.record && now.record->step == 6) parts.cancel.Cancel();
  };
  EXPECT_EQ(TrainBottleneck(parts).status().code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(parts.encoder_path()));
  BottleneckOptions rest = Options("parts");
  rest.resume = true;
  const auto outcome = TrainBottleneck(rest);
  ASSERT_TRUE(outcome.ok()) << outcome.status();
  EXPECT_EQ(outcome->records.size(), 2U);
  EXPECT_EQ(Read(whole.encoder_path()), Read(rest.encoder_path()));
  EXPECT_EQ(Read(whole.decoder_path()), Read(rest.decoder_path()));
  BottleneckOptions other = Options("parts");
  other.resume = true;
  other.seed = 2;
  EXPECT_THAT(TrainBottleneck(other).status().message(), HasSubstr("seed"));
}

TEST_F(TrainBottleneckTest, WhatCannotHaveABottleneckIsRefused) {
  BottleneckOptions options = Options("refused");
  options.cut = 0;
  EXPECT_THAT(TrainBottleneck(options).status().message(), HasSubstr("cut 0"));
  options = Options("refused");
  options.cut = cut_ + 1;  // The next convolution's tensor, of which there is no codec.
  EXPECT_THAT(TrainBottleneck(options).status().message(), HasSubstr("no codec of 'next'"));
  options = Options("refused");
  options.batch = 0;
  EXPECT_THAT(TrainBottleneck(options).status().message(), HasSubstr("batch"));
  options = Options("refused");
  options.combined = options.model;
  EXPECT_THAT(TrainBottleneck(options).status().message(), HasSubstr("combined"));
}

TEST(ShowPictureTest, ThePartIsCutOutAndMirrored) {
  const testing::TempDir folder;
  // A picture whose left half is dark and right half bright.
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < kSide * kSide * 3; ++i) {
    pixels.push_back(i / 3 % kSide < kSide / 2 ? 0 : 255);
  }
  const auto file = EncodeJpeg(pixels, kSide, kSide, 95);
  ASSERT_TRUE(file.ok()) << file.status();
  const std::string path = folder.Write("p.jpg", *file);
  Preprocessing how;
  how.fit = Preprocessing::Fit::kStretch;
  how.height = how.width = kSide;
  how.KeepValues();
  const auto mean = [&](const ShownPart& part, int from, int to) {
    const auto shown = ShowPicture(path, how, part);
    EXPECT_TRUE(shown.ok()) << shown.status();
    EXPECT_EQ(shown->shape(), (Shape{1, 3, kSide, kSide}));
    double sum = 0;
    for (int x = from; x < to; ++x) sum += shown->floats()[static_cast<std::size_t>(x)];
    return sum / (to - from);
  };
  EXPECT_LT(mean({}, 0, 8), 20);
  EXPECT_GT(mean({}, 24, 32), 235);
  EXPECT_GT(mean({.mirrored = true}, 0, 8), 235);
  EXPECT_GT(mean({.wide = 2, .right = 1}, 0, 8), 235);  // The right half alone.
  EXPECT_LT(mean({.wide = 2, .right = 0}, 24, 30), 20);
}

}  // namespace
}  // namespace cleave
