#include "model/plain_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <string>

#include "support/tiny_models.h"

namespace cleave {
namespace {

using testing::AddNode;
using testing::Describe;
using testing::EmptyModel;
using ::testing::HasSubstr;

// x [N,4] -> Relu -> y
onnx::ModelProto ReluModel() {
  onnx::ModelProto model = EmptyModel();
  Describe("x", {-1, 4}, *model.mutable_graph()->add_input());
  Describe("y", {-1, 4}, *model.mutable_graph()->add_output());
  AddNode(*model.mutable_graph(), "Relu", {"x"}, "y");
  return model;
}

void ExpectRefused(const onnx::ModelProto& model, const std::string& text) {
  const auto plain = ReadPlainModel(model.SerializeAsString(), "m.onnx");
  ASSERT_FALSE(plain.ok()) << text;
  EXPECT_EQ(plain.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(plain.status().message()), HasSubstr("m.onnx"));
  EXPECT_THAT(std::string(plain.status().message()), HasSubstr(text));
}

TEST(PlainModelTest, TellsPortsAndMetadata) {
  onnx::ModelProto model = ReluModel();
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key("k");
  entry.set_value("v");
  const auto plain = ReadPlainModel(model.SerializeAsString(), "m.onnx");
  ASSERT_TRUE(plain.ok()) << plain.status();
  ASSERT_EQ(plain->inputs.size(), 1U);
  EXPECT_EQ(plain->inputs[0].name, "x");
  EXPECT_EQ(plain->inputs[0].shape, (Shape{-1, 4}));
  EXPECT_EQ(plain->outputs[0].name, "y");
  EXPECT_EQ(plain->metadata.at("k"), "v");
}

TEST(PlainModelTest, AnInputWithAWeightIsNone) {
  onnx::ModelProto model = ReluModel();
  Describe("w", {4}, *model.mutable_graph()->add_input());
  onnx::TensorProto& weights = *model.mutable_graph()->add_initializer();
  weights.set_name("w");
  weights.set_data_type(onnx::TensorProto::FLOAT);
  const auto plain = ReadPlainModel(model.SerializeAsString(), "m.onnx");
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->inputs.size(), 1U);
}

TEST(PlainModelTest, OperatorsOfOthersAreRefused) {
  onnx::ModelProto model = ReluModel();
  model.mutable_graph()->mutable_node(0)->set_domain("com.example");
  ExpectRefused(model, "com.example");
  model = ReluModel();
  model.mutable_graph()->mutable_node(0)->set_op_type("Loop");
  ExpectRefused(model, "'Loop'");
  model = ReluModel();
  model.add_functions()->set_name("f");
  ExpectRefused(model, "functions");
}

TEST(PlainModelTest, SubgraphsAndSparseWeightsAreRefused) {
  onnx::ModelProto model = ReluModel();
  onnx::AttributeProto& attribute = *model.mutable_graph()->mutable_node(0)->add_attribute();
  attribute.set_name("body");
  attribute.mutable_g()->set_name("g");
  ExpectRefused(model, "'body'");
  model = ReluModel();
  model.mutable_graph()->add_sparse_initializer();
  ExpectRefused(model, "sparse");
}

TEST(PlainModelTest, ExternalDataIsRefusedWhereverItIs) {
  onnx::ModelProto model = ReluModel();
  onnx::TensorProto& weights = *model.mutable_graph()->add_initializer();
  weights.set_name("w");
  weights.set_data_location(onnx::TensorProto::EXTERNAL);
  ExpectRefused(model, "external data");
  model = ReluModel();
  onnx::NodeProto& constant = AddNode(*model.mutable_graph(), "Constant", {}, "c");
  onnx::AttributeProto& value = *constant.add_attribute();
  value.set_name("value");
  value.mutable_t()->set_data_location(onnx::TensorProto::EXTERNAL);
  ExpectRefused(model, "external data");
}

TEST(PlainModelTest, SenselessPortsAndTwoEntriesOfMetadataAreRefused) {
  onnx::ModelProto model = ReluModel();
  auto& type = *model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type();
  type.mutable_shape()->mutable_dim(1)->set_dim_value(-4);
  ExpectRefused(model, "'x'");
  model = ReluModel();
  model.mutable_graph()->mutable_input(0)->clear_type();
  ExpectRefused(model, "'x'");
  model = ReluModel();
  model.add_metadata_props()->set_key("k");
  model.add_metadata_props()->set_key("k");
  ExpectRefused(model, "'k'");
}

TEST(PlainModelTest, BytesThatAreNoModelAreRefused) {
  const auto plain = ReadPlainModel("no model", "m.onnx");
  EXPECT_EQ(plain.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace cleave
