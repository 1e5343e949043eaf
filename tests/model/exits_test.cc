#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "support/branchy_model.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::cleave::testing::AddNode;
using ::cleave::testing::BranchyModel;
using ::cleave::testing::Describe;
using ::cleave::testing::EmptyModel;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;
namespace cleave_testing = ::cleave::testing;

std::shared_ptr<const Graph> Load(const std::string& bytes) {
  auto graph = Graph::FromBytes(bytes, "branchy.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

std::shared_ptr<const Graph> ExitOf(const std::shared_ptr<const Graph>& graph, int exit) {
  auto part = graph->ForExit(exit);
  EXPECT_TRUE(part.ok()) << part.status();
  return *part;
}

onnx::ModelProto Parsed(const absl::StatusOr<std::string>& bytes) {
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(*bytes));
  return model;
}

template <typename Messages>
std::vector<std::string> Names(const Messages& messages) {
  std::vector<std::string> names;
  for (const auto& message : messages) names.push_back(message.name());
  return names;
}

std::vector<std::string> OutputsOfNodes(const Graph& graph) {
  std::vector<std::string> names;
  for (const GraphNode& node : graph.nodes()) {
    for (const int id : node.outputs) names.push_back(graph.tensor_names()[id]);
  }
  return names;
}

std::string MessageOf(const std::string& exits) {
  return std::string(Graph::FromBytes(BranchyModel(exits), "b.onnx").status().message());
}

TEST(ExitsTest, AreReadFromTheMetadata) {
  const auto graph = Load(BranchyModel());
  EXPECT_THAT(graph->exits(), ElementsAre("exit1", "exit2", "exit3"));
  EXPECT_EQ(graph->exit_count(), 3);
  EXPECT_EQ(graph->exit(), 0);
  EXPECT_FALSE(graph->is_part());
  EXPECT_THAT(Load(BranchyModel("exit3"))->exits(), ElementsAre("exit3"));
}

TEST(ExitsTest, AModelWithoutTheEntryIsItsOwnOnlyExit) {
  const auto graph = Load(cleave_testing::PoolModel());
  EXPECT_THAT(graph->exits(), IsEmpty());
  EXPECT_EQ(graph->exit_count(), 1);
  EXPECT_EQ(ExitOf(graph, 0), graph);
  EXPECT_FALSE(graph->ForExit(1).ok());
}

TEST(ExitsTest, HostileMetadataIsRefused) {
  EXPECT_THAT(MessageOf(""), AllOf(HasSubstr("b.onnx: metadata cleave.exits: found ''"),
                                   HasSubstr("names of the model's outputs")));
  EXPECT_THAT(MessageOf("exit1,nowhere"), HasSubstr("found 'nowhere'"));
  EXPECT_THAT(MessageOf("exit1,pool1"), HasSubstr("found 'pool1'"));
  EXPECT_THAT(MessageOf("exit1, exit2"), HasSubstr("found ' exit2'"));
  EXPECT_THAT(MessageOf("exit1,"), HasSubstr("found ''"));
  EXPECT_THAT(MessageOf("exit1,exit3,exit1"), HasSubstr("found 'exit1' twice"));
  EXPECT_LT(MessageOf(std::string(100'000, 'a')).size(), 300U);

  onnx::ModelProto twice;
  ASSERT_TRUE(twice.ParseFromString(BranchyModel()));
  *twice.add_metadata_props() = onnx::StringStringEntryProto(twice.metadata_props(0));
  EXPECT_THAT(std::string(Graph::FromBytes(twice.SerializeAsString(), "b").status().message()),
              HasSubstr("the entry twice"));

  onnx::ModelProto input;
  ASSERT_TRUE(input.ParseFromString(BranchyModel("exit1")));
  *input.mutable_graph()->add_output() = onnx::ValueInfoProto(input.graph().input(0));
  input.mutable_metadata_props(0)->set_value("x,exit1");
  EXPECT_THAT(std::string(Graph::FromBytes(input.SerializeAsString(), "b").status().message()),
              HasSubstr("the input 'x'"));
}

TEST(ExitsTest, MoreExitsThanAnyNetworkHasAreRefused) {
  onnx::ModelProto model = EmptyModel();
  Describe("x", {-1, 4}, *model.mutable_graph()->add_input());
  std::string exits;
  for (int i = 0; i < 65; ++i) {
    const std::string name = absl::StrCat("y", i);
    AddNode(*model.mutable_graph(), "Relu", {"x"}, name);
    Describe(name, {-1, 4}, *model.mutable_graph()->add_output());
    absl::StrAppend(&exits, i == 0 ? "" : ",", name);
  }
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key("cleave.exits");
  entry.set_value(exits);
  EXPECT_THAT(std::string(Graph::FromBytes(model.SerializeAsString(), "m").status().message()),
              HasSubstr("more than 64"));
  entry.set_value(exits.substr(0, exits.rfind(',')));
  EXPECT_EQ(Load(model.SerializeAsString())->exit_count(), 64);
}

TEST(ExitsTest, AnExitsGraphHasItsOwnNodesAndNoOthers) {
  const auto graph = Load(BranchyModel());
  const auto first = ExitOf(graph, 0);
  EXPECT_EQ(first->exit(), 0);
  EXPECT_THAT(OutputsOfNodes(*first), ElementsAre("conv1", "relu1", "pool1", "b1_conv", "b1_relu",
                                                  "exit1_mean", "exit1_flat", "exit1"));
  const auto last = ExitOf(graph, 2);
  EXPECT_EQ(last->exit(), 2);
  EXPECT_THAT(OutputsOfNodes(*last),
              ElementsAre("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "conv3", "relu3",
                          "exit3_mean", "exit3_flat", "exit3"));
  for (const auto& part : {first, last}) {
    EXPECT_TRUE(part->is_part());
    EXPECT_EQ(part->digest(), graph->digest());
    EXPECT_EQ(part->name(), graph->name());
    ASSERT_EQ(part->inputs().size(), 1U);
    EXPECT_EQ(part->inputs()[0].name, "x");
    EXPECT_EQ(part->inputs()[0].shape, graph->inputs()[0].shape);
    EXPECT_EQ(part->outputs().size(), 1U);
    EXPECT_THAT(part->exits(), IsEmpty());
    EXPECT_EQ(part->exit_count(), 1);
    EXPECT_EQ(ExitOf(part, 0), part);
  }
  EXPECT_EQ(graph->ForExit(3).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(graph->ForExit(-1).status().message()),
              AllOf(HasSubstr("found -1"), HasSubstr("0 to 2")));
}

TEST(ExitsTest, TheInstrumentedModelCarriesNothingOfOtherExits) {
  const auto second = ExitOf(Load(BranchyModel()), 1);
  const onnx::ModelProto model = Parsed(second->InstrumentedModel({"pool1"}));
  EXPECT_THAT(Names(model.graph().output()), ElementsAre("exit2", "pool1"));
  EXPECT_EQ(model.graph().node_size(), static_cast<int>(second->nodes().size()));
  EXPECT_THAT(Names(model.graph().initializer()),
              UnorderedElementsAre("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias",
                                   "b2_conv.weight", "b2_conv.bias", "exit2.weight", "exit2.bias"));
  std::map<std::string, Shape> shapes = {{"x", {1, 2, 8, 8}}, {"conv1", {1, 6, 8, 8}}};
  EXPECT_EQ(second->NodeMacs(0, shapes), 6 * 64 * 2 * 9);
}

TEST(ExitsTest, AGraphOutlivesTheModelThatItIsPartOf) {
  auto graph = Load(BranchyModel());
  const auto part = ExitOf(graph, 0);
  graph.reset();
  EXPECT_EQ(Parsed(part->InstrumentedModel({})).graph().node_size(), 8);
  EXPECT_TRUE(part->KeepLoaded().ok());
}

// Returns the cuts of one tensor, by its name.
std::vector<std::string> SingleCuts(const Graph& graph) {
  const auto cuts = EnumerateCuts(graph);
  EXPECT_TRUE(cuts.ok()) << cuts.status();
  std::vector<std::string> names;
  for (const Cut& cut : cuts->cuts) {
    if (cut.tensors.size() == 1) names.push_back(cut.tensors.front());
  }
  return names;
}

TEST(ExitsTest, CutsLieInTheTrunkAndInTheBranch) {
  const auto graph = Load(BranchyModel());
  EXPECT_THAT(SingleCuts(*ExitOf(graph, 0)),
              ElementsAre("x", "conv1", "relu1", "pool1", "b1_conv", "b1_relu", "exit1_mean",
                          "exit1_flat", "exit1"));
  EXPECT_THAT(SingleCuts(*ExitOf(graph, 1)),
              AllOf(Contains("pool1"), Contains("b2_conv"), Not(Contains("pool2"))));
  EXPECT_THAT(SingleCuts(*ExitOf(graph, 2)), AllOf(Contains("pool1"), Contains("pool2")));
}

// Returns the nodes of `graph` that make these tensors.
std::vector<int> MakersOf(const Graph& graph, const std::set<std::string>& tensors) {
  std::vector<int> nodes;
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    for (const int id : graph.nodes()[i].outputs) {
      if (tensors.contains(graph.tensor_names()[id])) nodes.push_back(i);
    }
  }
  return nodes;
}

TEST(ExitsTest, EqualStretchesOfTwoExitsAreEqualBytes) {
  const auto graph = Load(BranchyModel());
  std::set<std::string> segments;
  for (int exit = 0; exit < 3; ++exit) {
    const auto part = ExitOf(graph, exit);
    const auto bytes =
        part->ExtractModel(MakersOf(*part, {"conv1", "relu1", "pool1"}), {"x"}, {"pool1"}, {});
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    segments.insert(*bytes);
  }
  EXPECT_EQ(segments.size(), 1U);
}

// Exit 1 is Neg(x * scale), exit 2 is Abs(Relu(x) * scale) with the constant scale = -2; nothing
// reads the input `idle`, and only exit 2 reads `only2`.
TEST(ExitsTest, ConstantsComeAlongAndUnusedInputsStay) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("idle", {-1, 4}, *graph.add_input());
  Describe("y1", {-1, 4}, *graph.add_output());
  Describe("y2", {-1, 4}, *graph.add_output());
  for (const char* name : {"two", "only2"}) {
    onnx::TensorProto& weight = *graph.add_initializer();
    weight.set_name(name);
    weight.set_data_type(onnx::TensorProto::FLOAT);
    weight.add_dims(1);
    weight.add_float_data(2);
  }
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "Neg", {"only2"}, "unrelated");
  AddNode(graph, "Neg", {"two"}, "scale");
  AddNode(graph, "Mul", {"r", "unrelated"}, "m2");
  AddNode(graph, "Mul", {"x", "scale"}, "m1");
  AddNode(graph, "Neg", {"m1"}, "y1");
  AddNode(graph, "Mul", {"m2", "scale"}, "y2");
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key("cleave.exits");
  entry.set_value("y1,y2");
  // Models of IR version 3 list weights as inputs too.
  Describe("only2", {1}, *graph.add_input());

  const auto part = ExitOf(Load(model.SerializeAsString()), 0);
  EXPECT_EQ(part->inputs().size(), 2U);
  EXPECT_EQ(part->nodes().size(), 3U);
  const auto cuts = EnumerateCuts(*part);
  ASSERT_TRUE(cuts.ok()) << cuts.status();
  EXPECT_THAT(cuts->cuts.front().tensors, ElementsAre("x"));
  const onnx::ModelProto extracted = Parsed(part->ExtractModel(cuts->order, {"x"}, {"y1"}, {}));
  EXPECT_EQ(extracted.graph().node_size(), 3);
  EXPECT_THAT(Names(extracted.graph().initializer()), ElementsAre("two"));
  const onnx::ModelProto whole = Parsed(part->InstrumentedModel({}));
  EXPECT_THAT(Names(whole.graph().input()), ElementsAre("x", "idle"));
  EXPECT_THAT(Names(whole.graph().initializer()), ElementsAre("two"));
}

}  // namespace
}  // namespace cleave
