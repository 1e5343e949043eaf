#include "model/insert_bottleneck.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/graph_writer.h"
#include "runtime/chain.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace tiny = ::cleave::testing;

// A 1 x 1 convolution of three channels that multiplies by `factor`.
std::string Scaled(float factor, const std::string& input, const std::string& output) {
  std::vector<float> weights(9, 0);
  for (const std::size_t i : {0, 4, 8}) weights[i] = factor;
  const std::vector<float> bias(3, 0);
  GraphWriter writer(output);
  writer.Output(writer.Conv(output, writer.Input(input, {3, 4, 4}), 3, 1, 1, 0, {weights, bias}));
  return *writer.Serialize();
}

Bottleneck Halved() { return {Scaled(2, "tensor", "latent"), Scaled(0.25F, "latent", "tensor")}; }

std::vector<NamedTensor> OutputsOf(const std::string& bytes) {
  const auto graph = Graph::FromBytes(bytes, "tiny");
  EXPECT_TRUE(graph.ok()) << graph.status();
  const auto model = WholeModel::Create(**graph, RuntimeOptions());
  EXPECT_TRUE(model.ok()) << model.status();
  const auto outputs =
      (*model)->Run({{"x", *Tensor::FromFloats({1, 3, 8, 8}, std::vector<float>(192, 3))}});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return *outputs;
}

TEST(InsertBottleneckTest, WhatReadTheTensorReadsWhatTheDecoderMakes) {
  const std::string model = tiny::PoolModel();
  const auto bytes = InsertBottleneck(model, "p", Halved(), "tiny");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  // y = 2 * mean(max(x, 0)).
  EXPECT_THAT(OutputsOf(model).front().tensor.floats(), ElementsAre(6, 6, 6));
  EXPECT_THAT(OutputsOf(*bytes).front().tensor.floats(), ElementsAre(3, 3, 3));
}

TEST(InsertBottleneckTest, TheLatentTensorIsACut) {
  const auto bytes = InsertBottleneck(tiny::PoolModel(), "p", Halved(), "tiny");
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto graph = Graph::FromBytes(*bytes, "tiny");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto cuts = EnumerateCuts(**graph);
  ASSERT_TRUE(cuts.ok()) << cuts.status();
  std::vector<std::string> tensors;
  for (const Cut& cut : cuts->cuts) tensors.push_back(cut.tensors.front());
  EXPECT_THAT(tensors,
              ElementsAre("x", "r", "p", std::string(kLatentName), "bottleneck.tensor", "d", "y"));
}

TEST(InsertBottleneckTest, ModelsAndTensorsThatTakeNoneAreRefused) {
  const std::string model = tiny::PoolModel();
  const auto fault = [&](const std::string& file, const std::string& tensor) {
    return std::string(InsertBottleneck(file, tensor, Halved(), "tiny").status().message());
  };
  EXPECT_THAT(fault(model, "x"), HasSubstr("no node that makes it"));
  EXPECT_THAT(fault(model, "y"), HasSubstr("an output"));
  EXPECT_THAT(fault("nonsense", "p"), HasSubstr("tiny"));
  const auto once = InsertBottleneck(model, "p", Halved(), "tiny");
  ASSERT_TRUE(once.ok()) << once.status();
  EXPECT_THAT(fault(*once, "d"), HasSubstr("a bottleneck"));
  onnx::ModelProto old;
  ASSERT_TRUE(old.ParseFromString(model));
  old.mutable_opset_import(0)->set_version(6);
  EXPECT_THAT(fault(old.SerializeAsString(), "p"), HasSubstr("opset"));
}

}  // namespace
}  // namespace cleave
