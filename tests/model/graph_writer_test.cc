#include "model/graph_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

constexpr std::int64_t kSide = 4;

// x [batch,2,4,4] -> Conv 3x3 that adds both channels at the centre, +1 -> Relu -> MaxPool 2
// -> early: GlobalAveragePool, Flatten; y: Flatten, Gemm with ones.
void WriteNet(GraphWriter& writer) {
  std::vector<float> kernel(2 * 9, 0);
  kernel[4] = 1;
  kernel[9 + 4] = 1;
  const std::vector<float> one = {1};
  const std::vector<float> ones(4, 1);
  const std::string x = writer.Input("x", {2, kSide, kSide});
  const std::string conv = writer.Conv("conv", x, 1, 3, 1, 1, {kernel, one});
  const std::string pool = writer.MaxPool("pool", writer.Relu("relu", conv), 2, 2);
  const std::string mean = writer.Flatten("early", writer.GlobalAveragePool("mean", pool));
  writer.Output(mean);
  writer.Output(writer.Gemm("y", writer.Flatten("flat", pool), 1, {ones, one}));
  writer.Metadata("cleave.exits", "early,y");
}

std::string Written() {
  GraphWriter writer("net");
  WriteNet(writer);
  const auto bytes = writer.Serialize();
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return *bytes;
}

onnx::ModelProto Parsed(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  return model;
}

// Both channels of image n hold n + position.
Tensor Input(std::int64_t batch) {
  std::vector<float> values;
  for (std::int64_t n = 0; n < batch; ++n) {
    for (int channel = 0; channel < 2; ++channel) {
      for (int i = 0; i < kSide * kSide; ++i) values.push_back(static_cast<float>(n + i));
    }
  }
  return *Tensor::FromFloats({batch, 2, kSide, kSide}, std::move(values));
}

TEST(GraphWriterTest, RunsAsWrittenAtEveryBatchSize) {
  const auto graph = Graph::FromBytes(Written(), "net.onnx");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto whole = WholeModel::Create(**graph, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  for (const std::int64_t batch : {1, 3}) {
    const auto outputs = (*whole)->Run({{"x", Input(batch)}});
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ(outputs->size(), 2U);
    // After the pooling there is 2 * (n + 5, 7, 13, 15) + 1.
    std::vector<float> early;
    std::vector<float> last;
    for (std::int64_t n = 0; n < batch; ++n) {
      early.push_back(2.0F * static_cast<float>(n) + 21);
      last.push_back(4 * early.back() + 1);
    }
    EXPECT_EQ((*outputs)[0].name, "early");
    EXPECT_EQ(ShapeString((*outputs)[0].tensor.shape()), absl::StrCat(batch, "x1"));
    EXPECT_THAT((*outputs)[0].tensor.floats(), Pointwise(FloatNear(1e-5F), early));
    EXPECT_EQ((*outputs)[1].name, "y");
    EXPECT_THAT((*outputs)[1].tensor.floats(), Pointwise(FloatNear(1e-5F), last));
  }
}

TEST(GraphWriterTest, CanBeCut) {
  const auto graph = Graph::FromBytes(Written(), "net.onnx");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto table = BuildCutTable(**graph, 2);
  ASSERT_TRUE(table.ok()) << table.status();
  std::vector<std::string> single;
  for (const CutInfo& cut : table->cuts) {
    if (cut.tensors.size() == 1) single.push_back(cut.tensors[0].name);
  }
  EXPECT_THAT(single, ::testing::IsSupersetOf({"x", "conv", "relu", "pool"}));
}

TEST(GraphWriterTest, IsAPlainFileOfOpset13WithASymbolicBatch) {
  const onnx::ModelProto model = Parsed(Written());
  EXPECT_LE(model.ir_version(), 8);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).domain(), "");
  EXPECT_EQ(model.opset_import(0).version(), 13);
  const auto& graph = model.graph();
  std::vector<std::string> outputs;
  for (const auto& output : graph.output()) {
    outputs.push_back(output.name());
    EXPECT_EQ(output.type().tensor_type().shape().dim(0).dim_param(), "batch");
  }
  EXPECT_THAT(outputs, ElementsAre("early", "y"));
  EXPECT_EQ(graph.input(0).type().tensor_type().shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(graph.input(0).type().tensor_type().shape().dim(3).dim_value(), kSide);
  ASSERT_EQ(model.metadata_props_size(), 1);
  EXPECT_EQ(model.metadata_props(0).key(), "cleave.exits");
  EXPECT_EQ(model.metadata_props(0).value(), "early,y");
}

TEST(GraphWriterTest, TheSameCallsGiveTheSameBytes) { EXPECT_EQ(Written(), Written()); }

TEST(GraphWriterTest, KnowsTheShapesThatItWrote) {
  GraphWriter writer("net");
  WriteNet(writer);
  EXPECT_EQ(writer.ShapeOf("pool"), (Shape{1, 2, 2}));
  EXPECT_EQ(writer.ShapeOf("flat"), Shape{4});
  EXPECT_EQ(writer.ShapeOf("none"), Shape{});
  const std::vector<float> kernel(3 * 1 * 4, 1);
  const std::vector<float> bias(3, 0);
  EXPECT_EQ(writer.ShapeOf(writer.Conv("odd", "conv", 3, 2, 3, 1, {kernel, bias})),
            (Shape{3, 2, 2}));
}

TEST(GraphWriterTest, SavesAFileThatLoads) {
  const std::string path = ::testing::TempDir() + "graph_writer_test/net.onnx";
  GraphWriter writer("net");
  WriteNet(writer);
  ASSERT_TRUE(writer.Save(path).ok());
  const auto graph = Graph::Load(path);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ((*graph)->outputs().size(), 2U);
  std::filesystem::remove_all(std::filesystem::path(path).parent_path());
}

// Returns the fault when `write` is called after an input x [batch,2,4,4].
std::string FaultOf(const std::function<void(GraphWriter&)>& write) {
  GraphWriter writer("net");
  writer.Input("x", {2, kSide, kSide});
  write(writer);
  const auto bytes = writer.Serialize();
  EXPECT_FALSE(bytes.ok());
  return std::string(bytes.status().message());
}

TEST(GraphWriterTest, TheFirstFaultIsNamed) {
  const std::vector<float> one = {1};
  const std::vector<float> two(2, 1);
  EXPECT_THAT(FaultOf([](GraphWriter& to) { to.Output(to.Relu("r", "none")); }),
              ::testing::AllOf(HasSubstr("'r'"), HasSubstr("'none'")));
  EXPECT_THAT(FaultOf([&](GraphWriter& to) {
                to.Output(to.Conv("c", "x", 1, 1, 1, 0, {one, one}));
              }),
              ::testing::AllOf(HasSubstr("'c'"), HasSubstr("weights: found 1 values, expected 2")));
  EXPECT_THAT(FaultOf([&](GraphWriter& to) {
                to.Output(to.Conv("c", "x", 1, 1, 1, 0, {two, two}));
              }),
              HasSubstr("bias: found 2 values, expected 1"));
  EXPECT_THAT(
      FaultOf([&](GraphWriter& to) {
        to.Output(to.Gemm("g", "x", 1, {one, one}));
      }),
      ::testing::AllOf(HasSubstr("'g'"), HasSubstr("3 dimensions"), HasSubstr("expected 1")));
  EXPECT_THAT(FaultOf([](GraphWriter& to) { to.Output(to.MaxPool("p", "x", 9, 1)); }),
              ::testing::AllOf(HasSubstr("'p'"), HasSubstr("2x0x0")));
  EXPECT_THAT(FaultOf([](GraphWriter& to) { to.Output(to.Relu("x", "x")); }), HasSubstr("taken"));
  EXPECT_THAT(FaultOf([](GraphWriter& to) { to.Output("none"); }), HasSubstr("'none'"));
  EXPECT_THAT(FaultOf([](GraphWriter& to) {
                to.Output("x");
                to.Output("x");
              }),
              HasSubstr("an output already"));
  EXPECT_THAT(FaultOf([](GraphWriter&) {}), HasSubstr("no output"));
  EXPECT_THAT(FaultOf([&](GraphWriter& to) {
                to.Output(to.Conv("c", "x", 1, 0, 1, 0, {two, one}));
              }),
              HasSubstr("kernel 0"));
}

TEST(GraphWriterTest, DilatedConvolutionsKeepThePlaneAndAdditionsTheShape) {
  const std::vector<float> weights(3 * 2 * 9, 0.5F);
  const std::vector<float> bias(3, 0);
  GraphWriter writer("dilated");
  const std::string x = writer.Input("x", {2, 5, 7});
  const std::string c = writer.DilatedConv("c", x, 3, 3, 2, {weights, bias});
  EXPECT_EQ(writer.ShapeOf(c), (Shape{3, 5, 7}));
  writer.Output(writer.Add("a", c, c));
  EXPECT_EQ(writer.ShapeOf("a"), (Shape{3, 5, 7}));
  const auto bytes = writer.Serialize();
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const auto graph = Graph::FromBytes(*bytes, "dilated");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto model = WholeModel::Create(**graph, RuntimeOptions());
  ASSERT_TRUE(model.ok()) << model.status();
  const auto outputs =
      (*model)->Run({{"x", *Tensor::FromFloats({1, 2, 5, 7}, std::vector<float>(70, 1))}});
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(outputs->front().tensor.shape(), (Shape{1, 3, 5, 7}));
  // In the middle all nine places of both channels are inside: 2 * 9 * 2 * 0.5. In the corner four.
  EXPECT_FLOAT_EQ(outputs->front().tensor.floats()[2 * 7 + 3], 18);
  EXPECT_FLOAT_EQ(outputs->front().tensor.floats()[0], 8);
}

TEST(GraphWriterTest, DilatedConvolutionsAndAdditionsThatDoNotFitAreRefused) {
  const std::vector<float> four(4, 1);
  const std::vector<float> one(1, 1);
  GraphWriter even("even");
  even.DilatedConv("c", even.Input("x", {1, 4, 4}), 1, 2, 1, {four, one});
  EXPECT_THAT(even.Serialize().status().message(), HasSubstr("kernel 2"));
  GraphWriter shapes("shapes");
  const std::string a = shapes.Input("a", {1, 4, 4});
  shapes.Add("sum", a, shapes.Input("b", {1, 4, 5}));
  EXPECT_THAT(shapes.Serialize().status().message(), HasSubstr("expected one shape"));
}

}  // namespace
}  // namespace cleave
