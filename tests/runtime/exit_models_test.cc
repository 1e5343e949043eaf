#include "runtime/exit_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "runtime/models.h"
#include "support/branchy_model.h"

namespace cleave {
namespace {

using ::cleave::testing::BranchyModel;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

const CandidateSpec kAll{CandidateSpec::Kind::kAll, 0};

std::shared_ptr<const Graph> Branchy() {
  auto graph = Graph::FromBytes(BranchyModel(), "branchy.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

std::shared_ptr<const Graph> AlexNet() {
  auto graph = Graph::Load(CLEAVE_MODELS_DIR "/alexnet_cifar10.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

std::vector<ExitModel> Build(const std::shared_ptr<const Graph>& graph,
                             const ExitModelsOptions& options = {}) {
  auto exits = BuildExitModels(graph, options);
  EXPECT_TRUE(exits.ok()) << exits.status();
  return *std::move(exits);
}

void ExpectSame(const NamedTensor& expected, const NamedTensor& found) {
  EXPECT_EQ(expected.name, found.name);
  ASSERT_EQ(ShapeString(expected.tensor.shape()), ShapeString(found.tensor.shape()));
  for (std::int64_t i = 0; i < expected.tensor.elements(); ++i) {
    const float value = expected.tensor.floats()[i];
    ASSERT_NEAR(value, found.tensor.floats()[i], 1e-5 * (1 + std::abs(value))) << expected.name;
  }
}

// Checks that every exit, started and stopped at every candidate, gives what ONNX Runtime makes of
// the whole file.
void ExpectEveryExitIsThatOfTheFile(const std::shared_ptr<const Graph>& graph,
                                    const ExitModelsOptions& options, std::int64_t batch) {
  const std::vector<ExitModel> exits = Build(graph, options);
  ASSERT_EQ(exits.size(), graph->exits().size());
  const auto file = WholeModel::Create(*graph, {});
  ASSERT_TRUE(file.ok()) << file.status();
  const auto inputs = RandomInputs(*graph, batch, 3);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  const auto expected = (*file)->Run(*inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_EQ(expected->size(), exits.size());
  for (std::size_t i = 0; i < exits.size(); ++i) {
    SCOPED_TRACE(absl::StrCat("exit ", i));
    const Chain& chain = *exits[i].chain;
    for (int at = 0; at <= chain.segments(); ++at) {
      SCOPED_TRACE(absl::StrCat("cut ", chain.boundaries()[at]));
      const auto head = chain.Run(0, at, *inputs);
      ASSERT_TRUE(head.ok()) << head.status();
      EXPECT_TRUE(head->early_outputs.empty());
      const auto tail = chain.Run(at, chain.segments(), head->tensors);
      ASSERT_TRUE(tail.ok()) << tail.status();
      ASSERT_EQ(tail->tensors.size(), 1U);
      ExpectSame((*expected)[i], tail->tensors[0]);
    }
    const auto alone = WholeModel::Create(*exits[i].graph, {});
    ASSERT_TRUE(alone.ok()) << alone.status();
    const auto outputs = (*alone)->Run(*inputs);
    ASSERT_TRUE(outputs.ok()) << outputs.status();
    ASSERT_EQ(outputs->size(), 1U);
    ExpectSame((*expected)[i], (*outputs)[0]);
  }
}

TEST(ExitModelsTest, EveryExitIsThatOfTheFileAtEveryCut) {
  ExpectEveryExitIsThatOfTheFile(Branchy(), {.cuts = kAll}, 1);
  ExpectEveryExitIsThatOfTheFile(Branchy(), {.cuts = kAll, .inputs = {.batch = 4, .shapes = {}}},
                                 4);
  ExpectEveryExitIsThatOfTheFile(Branchy(), {}, 2);
}

TEST(ExitModelsTest, EveryExitOfTheTrainedAlexNetIsThatOfTheFileAtEveryCut) {
  ExpectEveryExitIsThatOfTheFile(AlexNet(), {.cuts = kAll}, 1);
  ExpectEveryExitIsThatOfTheFile(AlexNet(), {}, 3);
}

// Returns the names of the tensors of single-tensor candidates.
std::vector<std::string> CandidateNames(const ExitModel& exit) {
  std::vector<std::string> names;
  for (const int cut : exit.candidates) {
    if (exit.table.cuts[cut].cut.tensors.size() == 1) {
      names.push_back(exit.table.cuts[cut].cut.tensors.front());
    }
  }
  return names;
}

std::string ForkTensor(const ExitModel& exit) {
  return exit.table.cuts[exit.fork.cut].cut.tensors.front();
}

TEST(ExitModelsTest, ForksAreWhereThePathsPart) {
  const std::vector<ExitModel> exits = Build(Branchy());
  EXPECT_EQ(ForkTensor(exits[0]), "pool1");
  EXPECT_EQ(ForkTensor(exits[1]), "relu2");
  EXPECT_EQ(exits[2].fork.cut, exits[2].last_cut());
  EXPECT_EQ(exits[2].fork.last_cut, exits[2].last_cut());
  for (const ExitModel& exit : exits) {
    EXPECT_EQ(exit.table.cuts[exit.fork.cut].cut.tensors,
              exits.back().table.cuts[exit.fork.last_cut].cut.tensors);
    EXPECT_THAT(CandidateNames(exit), IsSupersetOf({"x", "pool1"}));
    EXPECT_EQ(exit.chain->boundaries(), exit.candidates);
  }
  EXPECT_THAT(CandidateNames(exits[1]), Contains("relu2"));
  EXPECT_THAT(CandidateNames(exits[2]), Contains("relu2"));
}

void NameExits(const std::string& names, onnx::ModelProto& model) {
  onnx::StringStringEntryProto& entry = *model.add_metadata_props();
  entry.set_key("cleave.exits");
  entry.set_value(names);
}

// Returns a model with the input x [N,4] and outputs y1 and y2, which the caller adds nodes for.
onnx::ModelProto TwoExits() {
  onnx::ModelProto model = testing::EmptyModel();
  testing::Describe("x", {-1, 4}, *model.mutable_graph()->add_input());
  testing::Describe("y1", {-1, 4}, *model.mutable_graph()->add_output());
  testing::Describe("y2", {-1, 4}, *model.mutable_graph()->add_output());
  NameExits("y1,y2", model);
  return model;
}

TEST(ExitModelsTest, AForkAtTheInputIsCut0) {
  onnx::ModelProto model = TwoExits();
  onnx::GraphProto& graph = *model.mutable_graph();
  testing::AddNode(graph, "Neg", {"x"}, "y1");
  testing::AddNode(graph, "Relu", {"x"}, "r");
  testing::AddNode(graph, "Abs", {"r"}, "y2");
  const std::vector<ExitModel> exits = Build(testing::Parse(model));
  EXPECT_EQ(exits[0].fork.cut, 0);
  EXPECT_EQ(exits[0].fork.last_cut, 0);
}

TEST(ExitModelsTest, AForkOfSeveralTensorsIsTheSameInWhateverOrderTheyAreUsed) {
  onnx::ModelProto model = TwoExits();
  onnx::GraphProto& graph = *model.mutable_graph();
  testing::AddNode(graph, "Relu", {"x"}, "a");
  testing::AddNode(graph, "Abs", {"x"}, "b");
  testing::AddNode(graph, "Sub", {"a", "b"}, "y1");
  testing::AddNode(graph, "Sub", {"b", "a"}, "c");
  testing::AddNode(graph, "Neg", {"c"}, "y2");
  const auto parsed = testing::Parse(model);
  const std::vector<ExitModel> exits = Build(parsed);
  const Fork fork = exits[0].fork;
  EXPECT_THAT(exits[0].table.cuts[fork.cut].cut.tensors, ElementsAre("a", "b"));
  EXPECT_THAT(exits[1].table.cuts[fork.last_cut].cut.tensors, ElementsAre("b", "a"));
  EXPECT_EQ(exits[0].chain->SessionOf(0), exits[1].chain->SessionOf(0));
  ExpectEveryExitIsThatOfTheFile(parsed, {.cuts = kAll}, 2);
}

TEST(ExitModelsTest, AnExitMayLieOnTheTrunk) {
  onnx::ModelProto model = TwoExits();
  testing::AddNode(*model.mutable_graph(), "Neg", {"x"}, "y1");
  testing::AddNode(*model.mutable_graph(), "Relu", {"y1"}, "r");
  testing::AddNode(*model.mutable_graph(), "Abs", {"r"}, "y2");
  const auto parsed = testing::Parse(model);
  const std::vector<ExitModel> exits = Build(parsed);
  EXPECT_EQ(exits[0].fork.cut, exits[0].last_cut());
  EXPECT_THAT(exits[1].table.cuts[exits[0].fork.last_cut].cut.tensors, ElementsAre("y1"));
  EXPECT_EQ(exits[0].chain->SessionOf(0), exits[1].chain->SessionOf(0));
  ExpectEveryExitIsThatOfTheFile(parsed, {.cuts = kAll}, 2);
}

// Returns the tensors that the nodes of an exit make.
std::set<std::string> Made(const Graph& graph) {
  std::set<std::string> made;
  for (const GraphNode& node : graph.nodes()) {
    for (const int id : node.outputs) made.insert(graph.tensor_names()[id]);
  }
  return made;
}

TEST(ExitModelsTest, ARunToAnExitRunsNoNodeOfAnotherBranch) {
  for (const auto& graph : {Branchy(), AlexNet()}) {
    for (const ExitModel& exit : Build(graph)) {
      // Everything that its chain was built from leads to its output.
      EXPECT_EQ(exit.table.order.size(), exit.graph->nodes().size());
      for (const std::string& other : graph->exits()) {
        EXPECT_EQ(Made(*exit.graph).contains(other), other == exit.graph->outputs().front().name);
      }
    }
  }
  const std::vector<ExitModel> exits = Build(Branchy());
  EXPECT_EQ(Made(*exits[2].graph).count("b1_conv"), 0U);
  EXPECT_EQ(Made(*exits[0].graph).count("conv2"), 0U);
}

// The session of each stretch is found by the cuts at its ends.
using Stretch = std::pair<std::vector<std::string>, std::vector<std::string>>;
std::map<Stretch, std::set<const void*>> SessionsOf(const std::vector<ExitModel>& exits) {
  std::map<Stretch, std::set<const void*>> sessions;
  for (const ExitModel& exit : exits) {
    for (int i = 0; i < exit.chain->segments(); ++i) {
      sessions[{exit.chain->LiveTensors(i), exit.chain->LiveTensors(i + 1)}].insert(
          exit.chain->SessionOf(i));
    }
  }
  return sessions;
}

TEST(ExitModelsTest, AStretchOfTrunkIsOneSessionForAllExits) {
  for (const auto& graph : {Branchy(), AlexNet()}) {
    for (const CandidateSpec& cuts :
         {CandidateSpec{}, kAll, CandidateSpec{CandidateSpec::Kind::kCount, 3}}) {
      const std::vector<ExitModel> exits = Build(graph, {.cuts = cuts});
      std::size_t segments = 0;
      std::set<const void*> distinct;
      for (const ExitModel& exit : exits) segments += exit.candidates.size() - 1;
      const auto sessions = SessionsOf(exits);
      for (const auto& [stretch, of_stretch] : sessions) {
        EXPECT_EQ(of_stretch.size(), 1U);
        distinct.insert(of_stretch.begin(), of_stretch.end());
      }
      EXPECT_EQ(distinct.size(), sessions.size());
      EXPECT_LT(distinct.size(), segments);
      // Up to its fork, an exit has no session of its own.
      for (const ExitModel& exit : exits) {
        for (int i = 0; i < exit.chain->BoundaryOf(exit.fork.cut); ++i) {
          EXPECT_EQ(exit.chain->SessionOf(i), exits.back().chain->SessionOf(i));
        }
      }
    }
  }
}

TEST(ExitModelsTest, AModelWithoutExitsIsOneChainAsEver) {
  const auto graph = Graph::FromBytes(testing::PoolModel(), "pool.onnx");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::vector<ExitModel> exits = Build(*graph, {.inputs = {.batch = 2, .shapes = {}}});
  ASSERT_EQ(exits.size(), 1U);
  EXPECT_EQ(exits[0].graph, *graph);
  EXPECT_EQ(exits[0].exit(), 0);
  const auto table = BuildCutTable(**graph, 2);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(exits[0].candidates, SelectCandidates(*table, {}));
  EXPECT_EQ(exits[0].table.total_macs, table->total_macs);
  EXPECT_EQ(exits[0].fork.cut, exits[0].last_cut());
}

TEST(ExitModelsTest, AnExtraCutIsACandidateOfEveryExitThatHasIt) {
  const auto graph = Branchy();
  const int last = Build(graph).back().last_cut();
  for (const ExitModel& exit : Build(graph, {.extra_cut = last})) {
    EXPECT_EQ(exit.last_cut(), static_cast<int>(exit.table.cuts.size()) - 1);
  }
  for (const ExitModel& exit : Build(graph, {.extra_cut = 4})) {
    EXPECT_THAT(exit.candidates, Contains(4));
  }
  for (const int none : {-1, last + 1}) {
    const auto refused = BuildExitModels(graph, {.extra_cut = none});
    EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(refused.status().message()),
                AllOf(HasSubstr("branchy.onnx: cut"), HasSubstr(absl::StrCat("found ", none))));
  }
}

TEST(ExitModelsTest, ProgressCountsTheSegmentsOfAllExits) {
  std::vector<int> done;
  int total = 0;
  const std::vector<ExitModel> exits = Build(Branchy(), {.on_progress = [&](int now, int of) {
                                               done.push_back(now);
                                               total = of;
                                             }});
  int segments = 0;
  for (const ExitModel& exit : exits) segments += exit.chain->segments();
  EXPECT_EQ(total, segments);
  EXPECT_EQ(static_cast<int>(done.size()), segments);
  EXPECT_EQ(done.back(), segments);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

TEST(ExitModelsTest, TablesComeWithoutSessions) {
  const auto tables = BuildExitTables(Branchy(), {});
  ASSERT_TRUE(tables.ok()) << tables.status();
  const std::vector<ExitModel> exits = Build(Branchy());
  ASSERT_EQ(tables->size(), exits.size());
  for (std::size_t i = 0; i < exits.size(); ++i) {
    EXPECT_EQ((*tables)[i].candidates, exits[i].candidates);
    EXPECT_EQ((*tables)[i].chain, nullptr);
  }
}

}  // namespace
}  // namespace cleave
