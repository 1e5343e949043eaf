#include "model/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>

#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace tiny = ::cleave::testing;

onnx::AttributeProto& AddAttribute(onnx::NodeProto& node, const std::string& name,
                                   onnx::AttributeProto::AttributeType type) {
  onnx::AttributeProto& attribute = *node.add_attribute();
  attribute.set_name(name);
  attribute.set_type(type);
  return attribute;
}

// x -> Gemm "y" with weights "w", and attributes of every kind.
onnx::ModelProto Model() {
  onnx::ModelProto model = tiny::EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  tiny::Describe("x", {1, 2}, *graph.add_input());
  tiny::Describe("y", {1, 2}, *graph.add_output());
  onnx::TensorProto& weights = *graph.add_initializer();
  weights.set_name("w");
  weights.set_data_type(onnx::TensorProto::FLOAT);
  weights.add_dims(2);
  weights.add_float_data(1.5F);
  weights.add_float_data(-2);
  onnx::NodeProto& node = tiny::AddNode(graph, "Gemm", {"x", "", "w"}, "y");
  AddAttribute(node, "i", onnx::AttributeProto::INT).set_i(7);
  AddAttribute(node, "f", onnx::AttributeProto::FLOAT).set_f(0.5F);
  AddAttribute(node, "s", onnx::AttributeProto::STRING).set_s("text");
  onnx::AttributeProto& ints = AddAttribute(node, "is", onnx::AttributeProto::INTS);
  ints.add_ints(3);
  ints.add_ints(4);
  onnx::TensorProto& tensor = *AddAttribute(node, "t", onnx::AttributeProto::TENSOR).mutable_t();
  tensor.set_data_type(onnx::TensorProto::INT8);
  tensor.add_dims(3);
  for (const int value : {1, -1, 5}) tensor.add_int32_data(value);
  return model;
}

TEST(OperatorsTest, NodesWeightsAndAttributesAreRead) {
  const auto read = ReadOperators(Model().SerializeAsString(), "", "tiny");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->opset, 13);
  EXPECT_THAT(read->inputs, ElementsAre("x"));
  EXPECT_THAT(read->outputs, ElementsAre("y"));
  EXPECT_THAT(read->constants.at("w").floats(), ElementsAre(1.5F, -2));
  ASSERT_EQ(read->operators.size(), 1U);
  const Operator& node = read->operators.front();
  EXPECT_EQ(node.What(), "Gemm node 'y_node'");
  EXPECT_THAT(node.inputs, ElementsAre("x", "", "w"));
  EXPECT_EQ(node.Int("i", 0), 7);
  EXPECT_EQ(node.Float("f", 0), 0.5F);
  EXPECT_EQ(node.Text("s", ""), "text");
  EXPECT_THAT(node.Ints("is", {}), ElementsAre(3, 4));
  EXPECT_EQ(node.Int("none", 9), 9);
  EXPECT_EQ(node.Int("f", 9), 9);  // It has another type.
  const Tensor& tensor = std::get<Tensor>(node.attributes.find("t")->second);
  EXPECT_EQ(tensor.dtype(), DataType::kInt8);
  EXPECT_EQ(std::memcmp(tensor.data(), "\x01\xff\x05", 3), 0);
}

TEST(OperatorsTest, WhatIsNoNumberIsRefusedByName) {
  onnx::ModelProto subgraph = Model();
  AddAttribute(*subgraph.mutable_graph()->mutable_node(0), "body", onnx::AttributeProto::GRAPH)
      .mutable_g();
  EXPECT_THAT(ReadOperators(subgraph.SerializeAsString(), "", "tiny").status().message(),
              AllOf(HasSubstr("Gemm node 'y_node'"), HasSubstr("'body'")));
  onnx::ModelProto text = Model();
  text.mutable_graph()->mutable_initializer(0)->set_data_type(onnx::TensorProto::STRING);
  EXPECT_THAT(ReadOperators(text.SerializeAsString(), "", "tiny").status().message(),
              HasSubstr("weights 'w'"));
  onnx::ModelProto short_weights = Model();
  short_weights.mutable_graph()->mutable_initializer(0)->mutable_float_data()->RemoveLast();
  EXPECT_THAT(ReadOperators(short_weights.SerializeAsString(), "", "tiny").status().message(),
              HasSubstr("weights 'w'"));
}

TEST(OperatorsTest, ExternalDataIsReadFromTheFolder) {
  const tiny::TempDir folder;
  const std::array<float, 3> values = {9, 2.5F, 4};
  folder.Write("weights.bin", std::string(reinterpret_cast<const char*>(values.data()), 12));
  onnx::ModelProto model = Model();
  onnx::TensorProto& weights = *model.mutable_graph()->mutable_initializer(0);
  weights.clear_float_data();
  weights.set_data_location(onnx::TensorProto::EXTERNAL);
  const auto say = [&](const std::string& key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *weights.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  };
  say("location", "weights.bin");
  say("offset", "4");
  say("length", "8");
  const auto read = ReadOperators(model.SerializeAsString(), folder.path(), "tiny");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->constants.at("w").floats(), ElementsAre(2.5F, 4));
}

}  // namespace
}  // namespace cleave
