#include "model/attach_exits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <numeric>

#include "runtime/chain.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace tiny = ::cleave::testing;

constexpr std::int64_t kChannels = 3;
constexpr std::int64_t kPlaces = 16;
constexpr std::int64_t kClasses = 2;

void AddShape(const std::string& name, const std::vector<std::int64_t>& values,
              onnx::GraphProto& graph) {
  onnx::TensorProto& tensor = *graph.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::INT64);
  tensor.add_dims(static_cast<std::int64_t>(values.size()));
  for (const std::int64_t value : values) tensor.add_int64_data(value);
}

// x [N,3,4,4] -> Relu "r" (cut 1) -> Reshape "t" [N,3,16] (cut 2) -> Flatten "f" [N,48] (cut 3)
// -> Neg "y".
onnx::ModelProto Backbone(std::int64_t opset = 13, std::int64_t ir_version = 8) {
  onnx::ModelProto model = tiny::EmptyModel();
  model.set_ir_version(ir_version);
  model.mutable_opset_import(0)->set_version(opset);
  onnx::GraphProto& graph = *model.mutable_graph();
  tiny::Describe("x", {-1, kChannels, 4, 4}, *graph.add_input());
  tiny::Describe("y", {-1, kChannels * kPlaces}, *graph.add_output());
  AddShape("shape", {0, kChannels, kPlaces}, graph);
  if (ir_version < 4) {
    onnx::ValueInfoProto& shape = *graph.add_input();
    tiny::Describe("shape", {3}, shape);
    shape.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT64);
  }
  tiny::AddNode(graph, "Relu", {"x"}, "r");
  tiny::AddNode(graph, "Reshape", {"r", "shape"}, "t");
  tiny::AddNode(graph, "Flatten", {"t"}, "f");
  tiny::AddNode(graph, "Neg", {"f"}, "y");
  return model;
}

std::shared_ptr<const Graph> GraphOf(const onnx::ModelProto& model) {
  const auto graph = Graph::FromBytes(model.SerializeAsString(), "m.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return graph.value_or(nullptr);
}

// Class 0 gets the sum of the features plus 1, class 1 gets twice the last feature.
ExitHead Head(const std::string& tensor, std::size_t rank, std::int64_t features) {
  ExitHead head{tensor, rank, kClasses, {}, {1, 0}};
  head.weights.assign(static_cast<std::size_t>(features * kClasses), 0);
  std::fill_n(head.weights.begin(), features, 1.0F);
  head.weights.back() = 2;
  return head;
}

const ExitHead kOfChannels = Head("r", 4, kChannels);
const ExitHead kOfTokens = Head("t", 3, kPlaces);
const ExitHead kOfFeatures = Head("f", 2, kChannels* kPlaces);

onnx::ModelProto Attached(const onnx::ModelProto& model, const std::vector<ExitHead>& heads) {
  onnx::ModelProto attached;
  const auto result = AttachExits(*GraphOf(model), heads);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(attached.ParseFromString(result.ok() ? result->bytes : ""));
  return attached;
}

std::string Error(const onnx::ModelProto& model, const std::vector<ExitHead>& heads) {
  return std::string(AttachExits(*GraphOf(model), heads).status().message());
}

std::vector<std::string> OutputNames(const onnx::ModelProto& model) {
  std::vector<std::string> names;
  for (const auto& output : model.graph().output()) names.push_back(output.name());
  return names;
}

std::vector<NamedTensor> RunModel(const onnx::ModelProto& model, const Tensor& x) {
  const auto whole = WholeModel::Create(*GraphOf(model), {});
  EXPECT_TRUE(whole.ok()) << whole.status();
  const auto outputs = (*whole)->Run({{"x", x}});
  EXPECT_TRUE(outputs.ok()) << outputs.status();
  return outputs.value_or(std::vector<NamedTensor>{});
}

// The input is two samples with the values 0 to 95.
Tensor Input() {
  std::vector<float> values(2 * kChannels * kPlaces);
  std::iota(values.begin(), values.end(), 0.0F);
  return *Tensor::FromFloats({2, kChannels, 4, 4}, std::move(values));
}

template <typename Messages>
void ExpectBeginsWith(const Messages& before, const Messages& after, const char* what) {
  ASSERT_GE(after.size(), before.size()) << what;
  for (int i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].SerializeAsString(), after[i].SerializeAsString()) << what << " " << i;
  }
}

TEST(AttachExits, NothingThatWasThereChanges) {
  onnx::ModelProto before = Backbone();
  before.set_producer_name("somebody");
  auto& note = *before.add_metadata_props();
  note.set_key("note");
  note.set_value("kept");
  onnx::ModelProto after = Attached(before, {kOfChannels, kOfTokens});
  ExpectBeginsWith(before.graph().node(), after.graph().node(), "node");
  ExpectBeginsWith(before.graph().initializer(), after.graph().initializer(), "initializer");
  ExpectBeginsWith(before.graph().input(), after.graph().input(), "input");
  ExpectBeginsWith(before.metadata_props(), after.metadata_props(), "metadata");
  EXPECT_EQ(after.graph().input_size(), before.graph().input_size());
  EXPECT_EQ(after.graph().output(2).SerializeAsString(),
            before.graph().output(0).SerializeAsString());

  // Without the additions, it is the same file, byte by byte.
  onnx::GraphProto& graph = *after.mutable_graph();
  graph.mutable_node()->DeleteSubrange(4, graph.node_size() - 4);
  graph.mutable_initializer()->DeleteSubrange(1, graph.initializer_size() - 1);
  graph.mutable_output()->DeleteSubrange(0, 2);
  after.mutable_metadata_props()->DeleteSubrange(1, 1);
  EXPECT_EQ(after.SerializeAsString(), before.SerializeAsString());
}

TEST(AttachExits, ExitsComeFirstInOrderOfDepthAndAreNamed) {
  const onnx::ModelProto model = Attached(Backbone(), {kOfFeatures, kOfChannels, kOfTokens});
  EXPECT_THAT(OutputNames(model), ElementsAre("exit1", "exit2", "exit3", "y"));
  ASSERT_EQ(model.metadata_props_size(), 1);
  EXPECT_EQ(model.metadata_props(0).key(), kExitsKey);
  EXPECT_EQ(model.metadata_props(0).value(), "exit1,exit2,exit3,y");
  const auto& shape = model.graph().output(0).type().tensor_type().shape();
  EXPECT_EQ(shape.dim(0).dim_param(), "N");
  EXPECT_EQ(shape.dim(1).dim_value(), kClasses);
}

class AttachExitsToAnyVersion
    : public ::testing::TestWithParam<std::pair<std::int64_t, std::int64_t>> {};

TEST_P(AttachExitsToAnyVersion, TheLogitsAreThoseOfTheMeans) {
  const auto [opset, ir_version] = GetParam();
  const onnx::ModelProto before = Backbone(opset, ir_version);
  const onnx::ModelProto after = Attached(before, {kOfChannels, kOfTokens, kOfFeatures});
  const auto outputs = RunModel(after, Input());
  ASSERT_EQ(outputs.size(), 4U);
  // The means of the channels are 7.5, 23.5, 39.5, then 48 more each; those of the tokens 16, 17,
  // ... 31.
  EXPECT_THAT(outputs[0].tensor.floats(), ElementsAre(71.5, 79, 215.5, 175));
  EXPECT_THAT(outputs[1].tensor.floats(), ElementsAre(377, 62, 1145, 158));
  EXPECT_THAT(outputs[2].tensor.floats(), ElementsAre(1129, 94, 3433, 190));
  EXPECT_EQ(outputs[3].tensor.bytes(), RunModel(before, Input())[0].tensor.bytes());
}

INSTANTIATE_TEST_SUITE_P(OpsetsAndIrVersions, AttachExitsToAnyVersion,
                         ::testing::Values(std::pair{9, 3}, std::pair{11, 6}, std::pair{13, 8},
                                           std::pair{17, 8}, std::pair{18, 8}, std::pair{20, 9}));

TEST(AttachExits, NamesThatAreTakenAreLeftAlone) {
  onnx::ModelProto model = Backbone();
  for (const char* name : {"exit1", "exit1_.pool", "exit1_.weight"}) {
    tiny::AddNode(*model.mutable_graph(), "Abs", {"x"}, name);
  }
  const onnx::ModelProto attached = Attached(model, {kOfChannels});
  EXPECT_THAT(OutputNames(attached), ElementsAre("exit1_", "y"));
  EXPECT_THAT(RunModel(attached, Input())[0].tensor.floats(), ElementsAre(71.5, 79, 215.5, 175));
}

TEST(AttachExits, OfSeveralOutputsTheFirstIsTheLastExit) {
  onnx::ModelProto model = Backbone();
  tiny::Describe("f", {-1, kChannels * kPlaces}, *model.mutable_graph()->add_output());
  const onnx::ModelProto attached = Attached(model, {kOfChannels});
  EXPECT_THAT(OutputNames(attached), ElementsAre("exit1", "y", "f"));
  EXPECT_EQ(attached.metadata_props(0).value(), "exit1,y");
}

TEST(AttachExits, ExternalDataStaysAReference) {
  onnx::ModelProto model = Backbone();
  model.mutable_graph()->mutable_initializer()->RemoveLast();
  onnx::TensorProto& shape = *model.mutable_graph()->add_initializer();
  shape.set_name("shape");
  shape.set_data_type(onnx::TensorProto::INT64);
  shape.add_dims(3);
  shape.set_data_location(onnx::TensorProto::EXTERNAL);
  auto& location = *shape.add_external_data();
  location.set_key("location");
  location.set_value("weights.bin");
  const tiny::TempDir folder;
  const std::int64_t values[] = {0, kChannels, kPlaces};
  folder.Write("weights.bin", std::string(reinterpret_cast<const char*>(values), sizeof(values)));
  const auto graph = Graph::Load(folder.Write("m.onnx", model.SerializeAsString()));
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto attached = AttachExits(**graph, {kOfTokens});
  ASSERT_TRUE(attached.ok()) << attached.status();
  EXPECT_TRUE(attached->external_data);
  EXPECT_THAT(attached->exits, ElementsAre("exit1", "y"));
  EXPECT_TRUE(Graph::Load(folder.Write("exits.onnx", attached->bytes)).ok());
  onnx::ModelProto parsed;
  ASSERT_TRUE(parsed.ParseFromString(attached->bytes));
  EXPECT_EQ(parsed.graph().initializer(0).SerializeAsString(), shape.SerializeAsString());
  EXPECT_FALSE(AttachExits(*GraphOf(Backbone()), {kOfTokens})->external_data);
}

TEST(AttachExits, AModelThatCannotHaveThemIsNamed) {
  EXPECT_THAT(Error(Attached(Backbone(), {kOfTokens}), {kOfChannels}),
              AllOf(HasSubstr("m.onnx"), HasSubstr("cleave.exits: found exit1,y")));
  onnx::ModelProto comma = Backbone();
  comma.mutable_graph()->mutable_node(3)->set_output(0, "a,b");
  comma.mutable_graph()->mutable_output(0)->set_name("a,b");
  EXPECT_THAT(Error(comma, {kOfTokens}), AllOf(HasSubstr("'a,b'"), HasSubstr("commas")));
  EXPECT_THAT(std::string(CheckTakesExits(*GraphOf(comma)).message()), HasSubstr("commas"));
  EXPECT_TRUE(CheckTakesExits(*GraphOf(Backbone())).ok());
}

TEST(AttachExits, AHeadThatDoesNotFitIsNamed) {
  EXPECT_THAT(Error(Backbone(), {}), HasSubstr("heads: found 0"));
  EXPECT_THAT(Error(Backbone(), std::vector<ExitHead>(64, kOfTokens)), HasSubstr("found 64"));
  EXPECT_THAT(Error(Backbone(), {Head("none", 4, 3)}), HasSubstr("'none': found no node"));
  EXPECT_THAT(Error(Backbone(), {Head("x", 4, 3)}), HasSubstr("'x': found no node"));
  ExitHead head = kOfTokens;
  head.rank = 5;
  EXPECT_THAT(Error(Backbone(), {head}), HasSubstr("5 dimensions"));
  head = kOfTokens;
  head.bias.pop_back();
  EXPECT_THAT(Error(Backbone(), {head}), HasSubstr("found 1 numbers of bias"));
  head = kOfTokens;
  head.weights.pop_back();
  EXPECT_THAT(Error(Backbone(), {head}), HasSubstr("found 31 weights, expected a multiple of 2"));
  head = kOfTokens;
  head.weights[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Error(Backbone(), {head}), HasSubstr("not finite"));
}

absl::StatusOr<std::vector<ExitPlace>> Places(const onnx::ModelProto& model,
                                              const std::vector<int>& cuts) {
  const auto graph = GraphOf(model);
  const auto table = BuildCutTable(*graph, 5);
  EXPECT_TRUE(table.ok()) << table.status();
  return FindExitPlaces(*graph, *table, cuts);
}

TEST(FindExitPlaces, GivesTensorsInOrderOfDepth) {
  const auto places = Places(Backbone(), {3, 1, 2});
  ASSERT_TRUE(places.ok()) << places.status();
  ASSERT_EQ(places->size(), 3U);
  EXPECT_EQ((*places)[0].tensor.name, "r");
  EXPECT_EQ((*places)[0].features(), kChannels);
  EXPECT_EQ((*places)[1].cut, 2);
  EXPECT_EQ((*places)[1].features(), kPlaces);
  EXPECT_EQ((*places)[2].features(), kChannels * kPlaces);
}

TEST(FindExitPlaces, CutsThatDoNotFitAreNamed) {
  const auto error = [](const onnx::ModelProto& model, const std::vector<int>& cuts) {
    return std::string(Places(model, cuts).status().message());
  };
  EXPECT_THAT(error(Backbone(), {}), HasSubstr("cuts: found none"));
  EXPECT_THAT(error(Backbone(), {1, 1}), HasSubstr("cut 1: found it twice"));
  EXPECT_THAT(error(Backbone(), {0}), HasSubstr("cut 0: found the model's input or output"));
  EXPECT_THAT(error(Backbone(), {4}), HasSubstr("cut 4: found the model's input or output"));
  EXPECT_THAT(error(Backbone(), {5}), HasSubstr("cut 5: found no such cut, expected 1 to 3"));
  EXPECT_THAT(error(Backbone(), {-1}), HasSubstr("cut -1: found no such cut"));

  onnx::ModelProto batch_behind = Backbone();
  batch_behind.mutable_graph()->mutable_node(2)->set_op_type("Transpose");
  batch_behind.mutable_graph()
      ->mutable_output(0)
      ->mutable_type()
      ->mutable_tensor_type()
      ->mutable_shape()
      ->Clear();
  EXPECT_THAT(error(batch_behind, {3}), AllOf(HasSubstr("16x3x5"), HasSubstr("the batch, 5")));

  onnx::ModelProto whole_numbers = Backbone();
  onnx::NodeProto& cast = *whole_numbers.mutable_graph()->mutable_node(2);
  cast.set_op_type("Cast");
  onnx::AttributeProto& to = *cast.add_attribute();
  to.set_name("to");
  to.set_type(onnx::AttributeProto::INT);
  to.set_i(onnx::TensorProto::INT32);
  onnx::ValueInfoProto& y = *whole_numbers.mutable_graph()->mutable_output(0);
  tiny::Describe("y", {-1, kChannels, kPlaces}, y);
  auto& dims = *y.mutable_type()->mutable_tensor_type()->mutable_shape()->mutable_dim();
  dims.DeleteSubrange(0, 2);
  y.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::INT32);
  EXPECT_THAT(error(whole_numbers, {3}), AllOf(HasSubstr("'f'"), HasSubstr("FP32")));

  onnx::ModelProto first_output_early = Backbone();
  first_output_early.mutable_graph()->mutable_output()->Clear();
  tiny::Describe("t", {-1, kChannels, kPlaces}, *first_output_early.mutable_graph()->add_output());
  tiny::Describe("y", {-1, kChannels * kPlaces}, *first_output_early.mutable_graph()->add_output());
  EXPECT_TRUE(Places(first_output_early, {1}).ok());
  EXPECT_THAT(error(first_output_early, {3}), HasSubstr("behind the output 't'"));
}

}  // namespace
}  // namespace cleave
