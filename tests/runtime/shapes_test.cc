#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/chain.h"
#include "runtime/models.h"

namespace cleave {
namespace {

using ::cleave::testing::AddNode;
using ::cleave::testing::Describe;
using ::cleave::testing::EmptyModel;
using ::cleave::testing::Parse;
using ::cleave::testing::ResidualModel;
using ::testing::HasSubstr;

void AddInts(const std::string& name, const std::vector<std::int64_t>& values,
             onnx::GraphProto& graph) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  for (const std::int64_t value : values) tensor.add_int64_data(value);
}

// Returns a model like those that are exported from transformers, which ONNX's own inference cannot
// follow: a shape computed at run time, a scalar, an operator with two outputs, a type that is not
// float.
onnx::ModelProto ReshapingModel() {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 6, 4}, *graph.add_input());
  Describe("y", {-1, 24}, *graph.add_output());
  AddInts("minus_one", {-1}, graph);
  AddInts("zero", {0}, graph);
  AddNode(graph, "Shape", {"x"}, "shape");
  AddNode(graph, "Gather", {"shape", "zero"}, "batch");
  AddNode(graph, "Concat", {"batch", "minus_one"}, "target").add_attribute()->set_name("axis");
  auto& axis = *graph.mutable_node(2)->mutable_attribute(0);
  axis.set_type(onnx::AttributeProto::INT);
  axis.set_i(0);
  AddNode(graph, "Reshape", {"x", "target"}, "flat");
  onnx::NodeProto& split = AddNode(graph, "Split", {"flat"}, "left");
  split.add_output("right");
  auto& split_axis = *split.add_attribute();
  split_axis.set_name("axis");
  split_axis.set_type(onnx::AttributeProto::INT);
  split_axis.set_i(1);
  auto& join = AddNode(graph, "Concat", {"right", "left"}, "y");
  *join.add_attribute() = split_axis;
  return model;
}

TEST(ProbeShapesTest, SeesWhatInferenceCannot) {
  const auto graph = Parse(ReshapingModel());
  const auto specs = ProbeShapes(*graph, 5);
  ASSERT_TRUE(specs.ok()) << specs.status();
  EXPECT_EQ(specs->at("x").shape, (Shape{5, 6, 4}));
  EXPECT_EQ(specs->at("flat").shape, (Shape{5, 24}));
  EXPECT_EQ(specs->at("left").shape, (Shape{5, 12}));
  EXPECT_EQ(specs->at("right").shape, (Shape{5, 12}));
  EXPECT_EQ(specs->at("y").shape, (Shape{5, 24}));
  EXPECT_EQ(specs->at("flat").dtype, DataType::kFloat32);
  EXPECT_EQ(specs->at("target").dtype, DataType::kInt64);
  EXPECT_EQ(specs->at("target").shape, (Shape{2}));
}

TEST(ProbeShapesTest, KnowsEveryTensorThatIsNoConstant) {
  const auto graph = Parse(ResidualModel(16));
  const auto specs = ProbeShapes(*graph, 2);
  ASSERT_TRUE(specs.ok()) << specs.status();
  for (const char* name : {"x", "a", "b", "c", "d", "e", "y"}) {
    ASSERT_TRUE(specs->contains(name)) << name;
    EXPECT_EQ(specs->at(name).shape, (Shape{2, 16, 4, 4})) << name;
  }
}

TEST(ProbeShapesTest, RefusesAnotherBatchThanTheModelHas) {
  onnx::ModelProto model = EmptyModel();
  Describe("x", {3, 4}, *model.mutable_graph()->add_input());
  Describe("y", {3, 4}, *model.mutable_graph()->add_output());
  AddNode(*model.mutable_graph(), "Relu", {"x"}, "y");
  const auto graph = Parse(model);
  const auto specs = ProbeShapes(*graph, 8);
  ASSERT_EQ(specs.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(specs.status().message()), HasSubstr("3"));
  EXPECT_THAT(std::string(specs.status().message()), HasSubstr("8"));
  EXPECT_TRUE(ProbeShapes(*graph, 3).ok());
}

TEST(BuildCutTableTest, JoinsCutsAndShapes) {
  const auto graph = Parse(ReshapingModel());
  const auto table = BuildCutTable(*graph, 2);
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_GE(table->cuts.size(), 3U);
  EXPECT_EQ(table->cuts.front().elements, 48);
  EXPECT_EQ(table->cuts.back().elements, 48);
}

TEST(RandomInputsTest, SameSeedSameInputs) {
  const auto graph = Parse(ResidualModel(3));
  const auto first = RandomInputs(*graph, 2, 9);
  const auto again = RandomInputs(*graph, 2, 9);
  const auto other = RandomInputs(*graph, 2, 10);
  ASSERT_TRUE(first.ok() && again.ok() && other.ok());
  EXPECT_EQ((*first)[0].tensor.shape(), (Shape{2, 3, 4, 4}));
  EXPECT_EQ((*first)[0].tensor.bytes(), (*again)[0].tensor.bytes());
  EXPECT_NE((*first)[0].tensor.bytes(), (*other)[0].tensor.bytes());
  for (const float value : (*first)[0].tensor.floats()) {
    EXPECT_GE(value, -1);
    EXPECT_LT(value, 1);
  }
}

}  // namespace
}  // namespace cleave
