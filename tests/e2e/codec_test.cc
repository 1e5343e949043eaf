// Tensors by fitted codecs between the real processes of a device and an edge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "codec/codec_file.h"
#include "codec/input_preprocessing.h"
#include "codec/picture.h"
#include "core/file.h"
#include "e2e/processes.h"
#include "emulate/process.h"
#include "model/graph_writer.h"
#include "runtime/exit_models.h"

namespace cleave {
namespace {

using ::testing::HasSubstr;
using testing::Json;
using testing::kLong;
using testing::RunOutput;

constexpr int kSide = 32;
constexpr char kTrunk[] = "trunk";

// Weights that are as good as random, but always the same.
std::vector<float> Weights(std::size_t count, float size) {
  std::vector<float> weights;
  for (std::size_t i = 0; i < count; ++i) {
    weights.push_back(size * std::sin(static_cast<float>(i * i % 1009) + 0.5F));
  }
  return weights;
}

// Two convolutions make x [N,3,32,32] the trunk [N,4,16,16]; scores of ten classes follow.
std::string TrunkModel() {
  GraphWriter writer("net");
  const std::vector<float> first = Weights(std::size_t{8} * 3 * 9, 0.3F);
  const std::vector<float> second = Weights(std::size_t{4} * 8 * 9, 0.2F);
  const std::vector<float> scores = Weights(std::size_t{10} * 4 * 64, 0.1F);
  const std::vector<float> bias(10, 0.1F);
  const std::span<const float> biases(bias);
  std::string last = writer.Input("x", {3, kSide, kSide});
  last = writer.Conv("c1", last, 8, 3, 1, 1, {first, biases.first(8)});
  last = writer.Relu("r1", last);
  last = writer.Conv("c2", last, 4, 3, 2, 1, {second, biases.first(4)});
  last = writer.Relu(kTrunk, last);
  last = writer.MaxPool("m", last, 2, 2);
  last = writer.Flatten("f", last);
  writer.Output(writer.Gemm("y", last, 10, {scores, bias}));
  return writer.Serialize().value();
}

std::string Picture(int seed) {
  std::vector<std::uint8_t> pixels;
  for (int i = 0; i < kSide * kSide; ++i) {
    for (int channel = 0; channel < 3; ++channel) {
      const double wave = std::sin((i % kSide) * 0.04 * (seed % 7 + 1) + channel) +
                          std::cos((i / kSide) * 0.06 * (seed % 5 + 1) + seed);
      pixels.push_back(static_cast<std::uint8_t>(127 + 60 * wave));
    }
  }
  return EncodeJpeg(pixels, kSide, kSide, 95).value();
}

class CodecTest : public testing::ProcessTest {
 protected:
  void SetUp() override {
    const std::string pictures = folder_.path() + "/pictures";
    std::filesystem::create_directory(pictures);
    for (int i = 0; i < 24; ++i) {
      std::ofstream(pictures + "/" + std::to_string(i) + ".jpg", std::ios::binary) << Picture(i);
    }
    picture_ = pictures + "/3.jpg";
    model_ = folder_.Write("net.onnx", TrunkModel());
    graph_ = Graph::Load(model_).value();
    ExitModelsOptions all;
    all.cuts.kind = CandidateSpec::Kind::kAll;
    exits_ = BuildExitModels(graph_, all).value();
    for (const CutInfo& cut : exits_.front().table.cuts) {
      if (cut.tensors.size() == 1 && cut.tensors[0].name == kTrunk) cut_ = cut.cut.index;
    }
    ASSERT_GT(cut_, 0);
    Fit("--seed", "1");
  }

  // Writes net.codec beside the model.
  void Fit(const std::string& flag, const std::string& value) {
    const auto fit = Start({"codec", "fit", model_, "--data", folder_.path() + "/pictures",
                            "--cuts", "all", flag, value});
    ASSERT_EQ(fit->Wait(kLong).value_or(-1), 0) << LastErrors();
    codecs_ = CodecFile::OfModel(model_, graph_->digest()).value();
    ASSERT_NE(codecs_->Find(kTrunk), nullptr);
  }

  RunOutput RunPicture(std::vector<std::string> more) {
    more.insert(more.end(), {"--input", picture_});
    return Run(model_, std::move(more));
  }
  std::string Fixed(const std::string& encoding) const {
    return "fixed:" + std::to_string(cut_) + "/" + encoding;
  }

  // The folder of an edge that has the model, with or without the codecs.
  std::string EdgeFolder(const std::string& name) const {
    std::filesystem::create_directory(folder_.path() + "/" + name);
    std::filesystem::copy_file(model_, folder_.path() + "/" + name + "/net.onnx");
    return folder_.path() + "/" + name;
  }

  // The trunk of the picture as bytes of its codec, and the scores that the tail gives of it.
  std::pair<std::size_t, std::vector<float>> LocalAnswer(int rate) const {
    const Chain& chain = *exits_.front().chain;
    const Preprocessing how =
        PreprocessingFor(exits_.front().table.inputs.specs.front(), model_, {}).value();
    const Tensor input = ImageToTensor(ReadFile(picture_).value(), how, picture_).value();
    const int boundary = chain.BoundaryOf(cut_);
    std::vector<NamedTensor> live = chain.Run(0, boundary, {{"x", input}})->tensors;
    const TensorCodec& codec = *codecs_->Find(kTrunk);
    const std::string bytes = codec.Encode(live.at(0).tensor, rate)->bytes;
    live[0].tensor = codec.Decode(bytes, live[0].tensor.shape(), rate).value();
    const Tensor scores = chain.Run(boundary, chain.segments(), live)->tensors.at(0).tensor;
    return {bytes.size(), {scores.floats().begin(), scores.floats().end()}};
  }

  std::string model_;
  std::string picture_;
  std::shared_ptr<const Graph> graph_;
  std::vector<ExitModel> exits_;
  std::shared_ptr<const CodecFile> codecs_;
  int cut_ = 0;
};

TEST_F(CodecTest, AFixedPlanRunsSplitAndGivesTheAnswerOfWhatTheCodecDecodes) {
  const auto [edge, target] = Serve(model_);
  for (int rate = 0; rate < kCodecRates; ++rate) {
    const std::string encoding = "t" + std::to_string(rate + 1);
    const RunOutput output =
        RunPicture({"--edge", target, "--policy", Fixed(encoding), "--repeat", "3"});
    const auto [bytes, scores] = LocalAnswer(rate);
    EXPECT_EQ(output.exit_code, 0);
    EXPECT_EQ(output.CountWhere("split"), 3) << LastErrors();
    for (const Json& record : output.records) {
      EXPECT_EQ(record["plan"]["encoding"], encoding);
      EXPECT_TRUE(record["fallback"].is_null()) << record["fallback"];
      EXPECT_EQ(record["unfamiliar"], false);
      const auto sent = record["bytes_up"].get<std::size_t>();
      EXPECT_GT(sent, bytes);
      EXPECT_LT(sent, bytes + 500);
      const std::vector<float> found = record["outputs"][0]["data"];
      ASSERT_EQ(found.size(), scores.size());
      for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_NEAR(found[i], scores[i], 1e-4);
    }
  }
}

TEST_F(CodecTest, AnEdgeWithoutTheCodecsIsUsedByOtherPlans) {
  const auto [edge, target] = Serve(EdgeFolder("bare"));
  const RunOutput coded = RunPicture({"--edge", target, "--policy", Fixed("t3")});
  EXPECT_EQ(coded.CountWhere("device"), 1);
  EXPECT_THAT(coded.Fallbacks(), ::testing::ElementsAre("the edge has no codecs of the model"));
  const RunOutput plain = RunPicture({"--edge", target, "--policy", Fixed("q8")});
  EXPECT_EQ(plain.CountWhere("split"), 1);
}

TEST_F(CodecTest, AnEdgeWithOtherCodecsIsUsedByOtherPlans) {
  const std::string others = EdgeFolder("others");
  std::filesystem::copy_file(folder_.path() + "/net.codec", others + "/net.codec");
  Fit("--samples", "12");
  const auto [edge, target] = Serve(others);
  const RunOutput coded = RunPicture({"--edge", target, "--policy", Fixed("t3")});
  EXPECT_EQ(coded.CountWhere("device"), 1);
  EXPECT_THAT(coded.Fallbacks(),
              ::testing::ElementsAre(HasSubstr("the edge has other codecs of the model: digest")));
  const RunOutput plain = RunPicture({"--edge", target, "--policy", Fixed("q8")});
  EXPECT_EQ(plain.CountWhere("split"), 1);
}

TEST_F(CodecTest, ADeviceThatMayPushSendsItsCodecs) {
  const auto [edge, target] = Serve(EdgeFolder("bare"), "127.0.0.1:0",
                                    {"--allow-push", "--push-dir", folder_.path() + "/pushed"});
  const RunOutput coded =
      RunPicture({"--edge", target, "--push", "--policy", Fixed("t3"), "--repeat", "3"});
  EXPECT_EQ(coded.CountWhere("split"), 3) << LastErrors();
  EXPECT_TRUE(coded.Fallbacks().empty());
  EXPECT_EQ(ReadFile(folder_.path() + "/pushed/net.codec").value(),
            ReadFile(folder_.path() + "/net.codec").value());
  // Once it is there, no other device need push it.
  EXPECT_EQ(RunPicture({"--edge", target, "--policy", Fixed("t4")}).CountWhere("split"), 1);
}

TEST_F(CodecTest, ExplainAndCalibrationHaveTheRates) {
  const auto explain = Start({"explain", model_, "--json", "--cuts", "all", "--encodings", "t3,t4",
                              "--rate", "1mbit", "--rtt", "10"});
  std::string text;
  for (auto line = explain->ReadLine(kLong); line.ok(); line = explain->ReadLine(kLong)) {
    text += *line;
  }
  ASSERT_EQ(explain->Wait(kLong).value_or(-1), 0);
  std::vector<std::string> encodings;
  const Json report = Json::parse(text);
  for (const Json& plan : report["plans"]) {
    if (plan["cut"] != cut_) continue;
    encodings.push_back(plan["encoding"]);
    EXPECT_FALSE(plan["accuracy"].is_null()) << plan;
  }
  EXPECT_EQ(encodings, (std::vector<std::string>{"fp32", "t3", "t4"}));
}

}  // namespace
}  // namespace cleave
