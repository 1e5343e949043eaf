#include "model/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "model/input_shapes.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
namespace cleave_testing = ::cleave::testing;
using cleave_testing::AddNode;
using cleave_testing::Describe;
using cleave_testing::EmptyModel;

std::string MessageOf(const onnx::ModelProto& model) {
  return std::string(Graph::FromBytes(model.SerializeAsString(), "m.onnx").status().message());
}

// Returns x -> Relu -> y, which the tests then break.
onnx::ModelProto ReluModel() {
  onnx::ModelProto model = EmptyModel();
  Describe("x", {-1, 4}, *model.mutable_graph()->add_input());
  Describe("y", {-1, 4}, *model.mutable_graph()->add_output());
  AddNode(*model.mutable_graph(), "Relu", {"x"}, "y");
  return model;
}

TEST(Graph, ReadsInputsOutputsAndNodes) {
  const auto graph = Graph::FromBytes(cleave_testing::PoolModel(), "pool");
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ((*graph)->inputs().size(), 1U);
  EXPECT_EQ((*graph)->inputs()[0].shape, (Shape{-1, 3, 8, 8}));
  EXPECT_EQ((*graph)->outputs()[0].name, "y");
  EXPECT_EQ((*graph)->nodes().size(), 4U);
  EXPECT_EQ(FixedBatch(**graph), 0);
  EXPECT_EQ((*graph)->digest().size(), 64U);
  EXPECT_EQ((*graph)->initializer_shapes().at("two"), (Shape{1}));
}

TEST(Graph, PutsTheBatchIntoTheFirstDimension) {
  const auto graph = Graph::FromBytes(cleave_testing::PoolModel(), "pool");
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ(*ShapesAtBatch(**graph, 5), (InputShapes{{5, 3, 8, 8}}));
  EXPECT_FALSE(ShapesAtBatch(**graph, 0).ok());
  const auto fixed = Graph::FromBytes(cleave_testing::SlowModel(1), "slow");
  ASSERT_TRUE(fixed.ok());
  EXPECT_THAT(std::string(ShapesAtBatch(**fixed, 2).status().message()),
              AllOf(HasSubstr("found 2"), HasSubstr("fixed at 512")));
}

TEST(Graph, RefusesAFileCutInHalf) {
  const std::string bytes = cleave_testing::PoolModel();
  const auto graph = Graph::FromBytes(bytes.substr(0, bytes.size() / 2), "half.onnx");
  ASSERT_FALSE(graph.ok());
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("half.onnx"));
}

TEST(Graph, LeavesVersionsToOnnxRuntime) {
  onnx::ModelProto model = ReluModel();
  for (const int version : {1, 7, 8, 99}) {
    model.mutable_opset_import(0)->set_version(version);
    EXPECT_TRUE(Graph::FromBytes(model.SerializeAsString(), "relu").ok()) << version;
  }
  model.mutable_opset_import(0)->set_domain("ai.onnx.ml");
  EXPECT_TRUE(Graph::FromBytes(model.SerializeAsString(), "relu").ok());
}

TEST(Graph, TakesMinusOneForAFreeDimension) {
  onnx::ModelProto model = ReluModel();
  auto& dim = *model.mutable_graph()
                   ->mutable_input(0)
                   ->mutable_type()
                   ->mutable_tensor_type()
                   ->mutable_shape()
                   ->mutable_dim(0);
  dim.set_dim_value(-1);
  const auto graph = Graph::FromBytes(model.SerializeAsString(), "relu");
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ((*graph)->inputs()[0].shape, (Shape{-1, 4}));
  EXPECT_EQ((*graph)->input_symbols()[0][0], "");
  dim.set_dim_value(-2);
  EXPECT_THAT(MessageOf(model), HasSubstr("found a dimension of -2"));
}

TEST(Graph, NamesThatStandForNothingAreNone) {
  onnx::ModelProto model = ReluModel();
  for (const char* name : {"?", "None", ""}) {
    model.mutable_graph()
        ->mutable_input(0)
        ->mutable_type()
        ->mutable_tensor_type()
        ->mutable_shape()
        ->mutable_dim(0)
        ->set_dim_param(name);
    const auto graph = Graph::FromBytes(model.SerializeAsString(), "relu");
    ASSERT_TRUE(graph.ok()) << graph.status();
    EXPECT_EQ((*graph)->input_symbols()[0][0], "") << name;
  }
}

TEST(Graph, SaysWhatTheFileSaysAboutItself) {
  onnx::ModelProto model = ReluModel();
  model.set_producer_name("maker");
  model.set_domain("org.example");
  model.set_doc_string("of the model");
  model.set_model_version(7);
  model.mutable_graph()->set_name("net");
  model.mutable_graph()->set_doc_string("of the graph");
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key("character");
  entry.set_value("abc");
  const auto graph = Graph::FromBytes(model.SerializeAsString(), "relu");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const ModelMetadata& metadata = (*graph)->metadata();
  EXPECT_EQ(metadata.producer, "maker");
  EXPECT_EQ(metadata.domain, "org.example");
  EXPECT_EQ(metadata.description, "of the model");
  EXPECT_EQ(metadata.graph_name, "net");
  EXPECT_EQ(metadata.graph_description, "of the graph");
  EXPECT_EQ(metadata.version, 7);
  EXPECT_EQ(metadata.entries.at("character"), "abc");
}

TEST(Graph, NamesTheFreeDimensionsOfOutputs) {
  onnx::ModelProto model = ReluModel();
  auto& dim = *model.mutable_graph()
                   ->mutable_output(0)
                   ->mutable_type()
                   ->mutable_tensor_type()
                   ->mutable_shape()
                   ->mutable_dim(0);
  dim.set_dim_param("rows");
  const auto graph = Graph::FromBytes(model.SerializeAsString(), "relu");
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_EQ((*graph)->output_symbols().size(), 1U);
  EXPECT_EQ((*graph)->output_symbols()[0][0], "rows");
}

TEST(Graph, NamesANodeOnACycle) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("y", {-1, 4}, *graph.add_output());
  AddNode(graph, "Add", {"x", "b"}, "a");
  AddNode(graph, "Relu", {"a"}, "b");
  AddNode(graph, "Relu", {"b"}, "y");
  EXPECT_THAT(MessageOf(model), AllOf(HasSubstr("cycle"), ::testing::ContainsRegex("[ab]_node")));
}

TEST(Graph, NamesAnInputThatIsDefinedNowhere) {
  onnx::ModelProto model = ReluModel();
  model.mutable_graph()->mutable_node(0)->set_input(0, "ghost");
  EXPECT_THAT(MessageOf(model), AllOf(HasSubstr("'ghost'"), HasSubstr("nowhere")));
}

TEST(Graph, RefusesATensorDefinedTwice) {
  onnx::ModelProto model = ReluModel();
  AddNode(*model.mutable_graph(), "Abs", {"x"}, "y");
  EXPECT_THAT(MessageOf(model), AllOf(HasSubstr("'y'"), HasSubstr("twice")));
}

TEST(Graph, RefusesWhatIsNoModel) {
  EXPECT_FALSE(Graph::FromBytes("", "empty").ok());
  EXPECT_FALSE(Graph::FromBytes("hello, world", "text").ok());
  EXPECT_EQ(Graph::Load("/nonexistent/m.onnx").status().code(), absl::StatusCode::kNotFound);
}

TEST(Graph, RefusesAnInputThatCannotTravel) {
  onnx::ModelProto model = ReluModel();
  model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::COMPLEX64);
  EXPECT_THAT(MessageOf(model), AllOf(HasSubstr("input 'x'"), HasSubstr("element type")));
}

TEST(Graph, CountsWhatASubgraphCapturesAsAnInput) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("y", {-1, 4}, *graph.add_output());
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "Abs", {"x"}, "condition");
  onnx::NodeProto& branch = AddNode(graph, "If", {"condition"}, "y");
  for (const char* name : {"then_branch", "else_branch"}) {
    onnx::AttributeProto& attribute = *branch.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    AddNode(*attribute.mutable_g(), "Neg", {"r"}, "inner");
    attribute.mutable_g()->add_output()->set_name("inner");
  }
  const auto read = Graph::FromBytes(model.SerializeAsString(), "if");
  ASSERT_TRUE(read.ok()) << read.status();
  const GraphNode& node = (*read)->nodes().back();
  ASSERT_EQ(node.op_type, "If");
  EXPECT_THAT(node.inputs, ::testing::UnorderedElementsAre((*read)->FindTensor("condition"),
                                                           (*read)->FindTensor("r")));
}

// Returns a model whose weight is in `location`.
onnx::ModelProto ExternalModel(const std::string& location, const std::string& length) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("y", {-1, 4}, *graph.add_output());
  onnx::TensorProto& weight = *graph.add_initializer();
  weight.set_name("w");
  weight.set_data_type(onnx::TensorProto::FLOAT);
  weight.add_dims(4);
  weight.set_data_location(onnx::TensorProto::EXTERNAL);
  for (const auto& [key, value] :
       {std::pair<std::string, std::string>{"location", location}, {"length", length}}) {
    onnx::StringStringEntryProto& entry = *weight.add_external_data();
    entry.set_key(key);
    entry.set_value(value);
  }
  AddNode(graph, "Add", {"x", "w"}, "y");
  return model;
}

TEST(Graph, ExternalDataStaysInTheFolderAndIsLongEnough) {
  const cleave_testing::TempDir dir;
  dir.Write("w.bin", std::string(16, '\0'));
  const auto load = [&](const std::string& location, const std::string& length) {
    return Graph::Load(dir.Write("m.onnx", ExternalModel(location, length).SerializeAsString()));
  };
  const auto good = load("w.bin", "16");
  ASSERT_TRUE(good.ok()) << good.status();
  EXPECT_THAT(std::string(load("../w.bin", "16").status().message()), HasSubstr("leaves"));
  EXPECT_THAT(std::string(load("/etc/passwd", "16").status().message()), HasSubstr("location"));
  EXPECT_THAT(std::string(load("w.bin", "17").status().message()),
              AllOf(HasSubstr("found 16"), HasSubstr("17")));
  EXPECT_THAT(std::string(load("w.bin", "-1").status().message()), HasSubstr("length"));
  EXPECT_EQ(load("none.bin", "16").status().code(), absl::StatusCode::kNotFound);

  // The digest covers the weights, too.
  dir.Write("w.bin", std::string(16, '\1'));
  EXPECT_NE((*load("w.bin", "16"))->digest(), (*good)->digest());
}

TEST(Graph, ExtractsASegmentWithTheConstantsItNeeds) {
  const auto graph = Graph::FromBytes(cleave_testing::PoolModel(), "pool");
  ASSERT_TRUE(graph.ok());
  const std::map<std::string, TensorType> types = {{"p", {DataType::kFloat32, {1, 3, 4, 4}, {}}}};
  const auto bytes = (*graph)->ExtractModel({2, 3}, {"p"}, {"y"}, types);
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto segment;
  ASSERT_TRUE(segment.ParseFromString(*bytes));
  EXPECT_EQ(segment.graph().node_size(), 2);
  ASSERT_EQ(segment.graph().initializer_size(), 1);
  EXPECT_EQ(segment.graph().initializer(0).name(), "two");
  EXPECT_EQ(segment.graph().input(0).type().tensor_type().shape().dim_size(), 4);
}

TEST(Graph, ExtractNamesWhatIsMissing) {
  const auto graph = Graph::FromBytes(cleave_testing::PoolModel(), "pool");
  ASSERT_TRUE(graph.ok());
  EXPECT_FALSE((*graph)->ExtractModel({}, {"x"}, {"y"}, {}).ok());
  EXPECT_THAT(std::string((*graph)->ExtractModel({3}, {}, {"y"}, {}).status().message()),
              HasSubstr("'d'"));
  EXPECT_THAT(std::string((*graph)->ExtractModel({0}, {"x"}, {"y"}, {}).status().message()),
              HasSubstr("'y'"));
  EXPECT_THAT(std::string((*graph)->ExtractModel({3}, {"d"}, {"y"}, {}).status().message()),
              HasSubstr("no type"));
}

TEST(Graph, CountsMultiplyAccumulates) {
  const auto graph = Graph::FromBytes(cleave_testing::SlowModel(1), "slow");
  ASSERT_TRUE(graph.ok());
  EXPECT_EQ((*graph)->NodeMacs(0, {{"x", {512, 512}}, {"y", {512, 512}}}),
            std::int64_t{512} * 512 * 512);
  EXPECT_EQ((*graph)->NodeMacs(0, {}), 0);
}

}  // namespace
}  // namespace cleave
