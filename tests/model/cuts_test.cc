#include "model/cuts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "support/tiny_models.h"

namespace cleave {
namespace {

using testing::AddNode;
using testing::Describe;
using ::testing::ElementsAre;
using testing::EmptyModel;
using ::testing::UnorderedElementsAre;

using Names = std::vector<std::string>;

// A fixture for graphs from x to y whose shapes do not matter.
class CutsTest : public ::testing::Test {
 protected:
  CutsTest() : model_(EmptyModel()), graph_(*model_.mutable_graph()) {
    Describe("x", {-1, 4}, *graph_.add_input());
    Describe("y", {-1, 4}, *graph_.add_output());
  }

  std::vector<Names> Cuts(const CutOptions& options = {}) {
    const auto graph = Graph::FromBytes(model_.SerializeAsString(), "m");
    EXPECT_TRUE(graph.ok()) << graph.status();
    const auto list = EnumerateCuts(**graph, options);
    EXPECT_TRUE(list.ok()) << list.status();
    std::vector<Names> tensors;
    for (const Cut& cut : list->cuts) {
      EXPECT_EQ(cut.index, static_cast<int>(tensors.size()));
      tensors.push_back(cut.tensors);
    }
    return tensors;
  }

  onnx::ModelProto model_;
  onnx::GraphProto& graph_;
};

TEST_F(CutsTest, AChainIsCutBetweenAllItsNodes) {
  AddNode(graph_, "Relu", {"x"}, "a");
  AddNode(graph_, "Abs", {"a"}, "b");
  AddNode(graph_, "Neg", {"b"}, "y");
  EXPECT_THAT(Cuts(), ElementsAre(Names{"x"}, Names{"a"}, Names{"b"}, Names{"y"}));
}

TEST_F(CutsTest, ASkipConnectionHidesWhatItSpans) {
  AddNode(graph_, "Relu", {"x"}, "a");
  AddNode(graph_, "Abs", {"a"}, "b");
  AddNode(graph_, "Neg", {"b"}, "c");
  AddNode(graph_, "Add", {"a", "c"}, "d");
  AddNode(graph_, "Relu", {"d"}, "y");
  CutOptions singles_only;
  singles_only.multi_tensor_min_share = 1;
  EXPECT_THAT(Cuts(singles_only), ElementsAre(Names{"x"}, Names{"a"}, Names{"d"}, Names{"y"}));
}

TEST_F(CutsTest, ATensorNeededTwiceIsSentOnce) {
  AddNode(graph_, "Relu", {"x"}, "a");
  AddNode(graph_, "Mul", {"a", "a"}, "b");
  AddNode(graph_, "Add", {"b", "b"}, "y");
  EXPECT_THAT(Cuts(), ElementsAre(Names{"x"}, Names{"a"}, Names{"b"}, Names{"y"}));
}

TEST_F(CutsTest, ConstantsAreNeverAlive) {
  onnx::NodeProto& constant = AddNode(graph_, "Constant", {}, "k");
  onnx::AttributeProto& value = *constant.add_attribute();
  value.set_name("value");
  value.set_type(onnx::AttributeProto::TENSOR);
  value.mutable_t()->set_data_type(onnx::TensorProto::FLOAT);
  value.mutable_t()->add_dims(1);
  value.mutable_t()->add_float_data(2);
  // It is constant as well, since no input leads to it.
  AddNode(graph_, "Neg", {"k"}, "minus_k");
  AddNode(graph_, "Add", {"x", "minus_k"}, "a");
  AddNode(graph_, "Mul", {"a", "minus_k"}, "y");
  EXPECT_THAT(Cuts(), ElementsAre(Names{"x"}, Names{"a"}, Names{"y"}));
}

// The graph goes down and up again and joins each level to the opposite one: no tensor parts it
// alone.
TEST_F(CutsTest, AUNetGetsCutsOfSeveralTensors) {
  AddNode(graph_, "Relu", {"x"}, "d1");
  AddNode(graph_, "Abs", {"d1"}, "d2");
  AddNode(graph_, "Neg", {"d2"}, "d3");
  AddNode(graph_, "Add", {"d3", "d2"}, "u2");
  AddNode(graph_, "Add", {"u2", "d1"}, "u1");
  AddNode(graph_, "Add", {"u1", "x"}, "y");
  const std::vector<Names> cuts = Cuts();
  EXPECT_EQ(cuts.front(), Names{"x"});
  EXPECT_EQ(cuts.back(), Names{"y"});
  EXPECT_THAT(cuts, ::testing::Contains(UnorderedElementsAre("x", "d1", "d2", "d3")));
  for (std::size_t i = 1; i + 1 < cuts.size(); ++i) EXPECT_GT(cuts[i].size(), 1U);
}

TEST_F(CutsTest, OutputsThatComeEarlyStayOnTheDevice) {
  Describe("early", {-1, 4}, *graph_.add_output());
  AddNode(graph_, "Relu", {"x"}, "a");
  AddNode(graph_, "Abs", {"a"}, "early");
  AddNode(graph_, "Neg", {"a"}, "b");
  AddNode(graph_, "Relu", {"b"}, "y");
  const std::vector<Names> cuts = Cuts();
  EXPECT_THAT(cuts, ::testing::Contains(Names{"a"}));
  EXPECT_THAT(cuts, ::testing::Contains(Names{"b"}));
  EXPECT_EQ(cuts.back(), (Names{"y", "early"}));
}

TEST_F(CutsTest, TwoInputsAreCutZeroTogether) {
  Describe("z", {-1, 4}, *graph_.add_input());
  AddNode(graph_, "Add", {"x", "z"}, "a");
  AddNode(graph_, "Relu", {"a"}, "y");
  EXPECT_THAT(Cuts(), ElementsAre(UnorderedElementsAre("x", "z"), Names{"a"}, Names{"y"}));
}

TEST_F(CutsTest, HeadsAreNested) {
  AddNode(graph_, "Relu", {"x"}, "a");
  AddNode(graph_, "Abs", {"a"}, "b");
  AddNode(graph_, "Add", {"a", "b"}, "c");
  AddNode(graph_, "Neg", {"c"}, "y");
  const auto graph = Graph::FromBytes(model_.SerializeAsString(), "m");
  const auto list = EnumerateCuts(**graph);
  ASSERT_TRUE(list.ok());
  for (std::size_t i = 1; i < list->cuts.size(); ++i) {
    EXPECT_GE(list->cuts[i].prefix_nodes, list->cuts[i - 1].prefix_nodes);
  }
  EXPECT_EQ(list->cuts.back().prefix_nodes, 4);
}

// Returns a random graph of additions from x; unread tensors are outputs if `several_outputs`, else
// they are joined into y.
onnx::ModelProto RandomModel(std::mt19937& random, bool several_outputs) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  std::vector<std::string> tensors = {"x"};
  std::set<std::string> unread;
  const int nodes = 3 + static_cast<int>(random() % 12);
  for (int i = 0; i < nodes; ++i) {
    // It mostly reads the latest tensor, so that cuts are left.
    const auto pick = [&] {
      const std::size_t back =
          random() % 3 == 0 ? random() % std::min<std::size_t>(4, tensors.size()) : 0;
      return tensors[tensors.size() - 1 - back];
    };
    const std::string name = absl::StrCat("t", i);
    const std::vector<std::string> inputs = {pick(), pick()};
    AddNode(graph, "Add", inputs, name);
    for (const std::string& input : inputs) unread.erase(input);
    unread.insert(name);
    tensors.push_back(name);
  }
  if (several_outputs) {
    for (const std::string& name : unread) Describe(name, {-1, 4}, *graph.add_output());
  } else {
    AddNode(graph, "Sum", {unread.begin(), unread.end()}, "y");
    Describe("y", {-1, 4}, *graph.add_output());
  }
  return model;
}

// Returns what descends from `tensor` if all of it needs nothing else, else an empty set: the
// definition of a cut.
std::set<int> TailOf(const Graph& graph, int tensor) {
  std::set<int> tensors = {tensor};
  std::set<int> tail;
  for (int node = 0; node < static_cast<int>(graph.nodes().size()); ++node) {
    const GraphNode& at = graph.nodes()[node];
    const auto below = std::count_if(at.inputs.begin(), at.inputs.end(),
                                     [&](int input) { return tensors.contains(input); });
    if (below == 0) continue;
    if (below < static_cast<int>(at.inputs.size())) return {};
    tail.insert(node);
    tensors.insert(at.outputs.begin(), at.outputs.end());
  }
  return tail;
}

// Returns the tails of all single-tensor cuts below the input, by tensor.
std::map<std::string, std::set<int>> TailsOf(const Graph& graph) {
  std::map<std::string, std::set<int>> tails;
  for (int tensor = 1; tensor < static_cast<int>(graph.tensor_names().size()); ++tensor) {
    std::set<int> tail = TailOf(graph, tensor);
    if (!tail.empty()) tails[graph.tensor_names()[tensor]] = std::move(tail);
  }
  return tails;
}

int LongestNesting(const std::map<std::string, std::set<int>>& tails) {
  std::vector<std::set<int>> by_size;
  for (const auto& [name, tail] : tails) by_size.push_back(tail);
  std::sort(by_size.begin(), by_size.end(),
            [](const auto& a, const auto& b) { return a.size() > b.size(); });
  std::vector<int> length(by_size.size(), 1);
  for (std::size_t i = 0; i < by_size.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (by_size[j].size() > by_size[i].size() &&
          std::includes(by_size[j].begin(), by_size[j].end(), by_size[i].begin(),
                        by_size[i].end())) {
        length[i] = std::max(length[i], length[j] + 1);
      }
    }
  }
  return length.empty() ? 0 : *std::max_element(length.begin(), length.end());
}

TEST(CutsProperty, SingleTensorCutsAreThoseOfTheDefinition) {
  std::mt19937 random(1);
  CutOptions singles_only;
  singles_only.multi_tensor_min_share = 1;
  for (int round = 0; round < 400; ++round) {
    const bool several_outputs = round % 2 == 1;
    const auto graph =
        Graph::FromBytes(RandomModel(random, several_outputs).SerializeAsString(), "m");
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto list = EnumerateCuts(**graph, singles_only);
    ASSERT_TRUE(list.ok()) << list.status();
    const std::map<std::string, std::set<int>> tails = TailsOf(**graph);
    const int expected = several_outputs ? LongestNesting(tails) : static_cast<int>(tails.size());
    ASSERT_EQ(static_cast<int>(list->cuts.size()) - 2, expected) << "round " << round;
    for (std::size_t i = 1; i + 1 < list->cuts.size(); ++i) {
      const Cut& cut = list->cuts[i];
      const auto found = tails.find(cut.tensors.front());
      ASSERT_NE(found, tails.end()) << cut.tensors.front();
      const std::set<int> behind(list->order.begin() + cut.prefix_nodes, list->order.end());
      EXPECT_EQ(behind, found->second) << cut.tensors.front();
    }
  }
}

TEST(CutsProperty, CutsCarryExactlyWhatTheTailNeedsFromTheHead) {
  std::mt19937 random(2);
  CutOptions all;
  all.multi_tensor_min_share = 0;
  for (int round = 0; round < 200; ++round) {
    const auto graph =
        Graph::FromBytes(RandomModel(random, round % 2 == 1).SerializeAsString(), "m");
    ASSERT_TRUE(graph.ok()) << graph.status();
    const auto list = EnumerateCuts(**graph, all);
    ASSERT_TRUE(list.ok()) << list.status();
    for (std::size_t i = 0; i + 1 < list->cuts.size(); ++i) {
      const Cut& cut = list->cuts[i];
      std::set<std::string> needed;
      std::set<int> made;
      for (std::size_t at = cut.prefix_nodes; at < list->order.size(); ++at) {
        const GraphNode& node = (*graph)->nodes()[list->order[at]];
        for (const int input : node.inputs) {
          if (!made.contains(input)) needed.insert((*graph)->tensor_names()[input]);
        }
        made.insert(node.outputs.begin(), node.outputs.end());
      }
      EXPECT_THAT(cut.tensors, ::testing::UnorderedElementsAreArray(needed)) << "cut " << i;
    }
  }
}

TEST_F(CutsTest, ALongModelIsNoTrouble) {
  constexpr int kNodes = 100'000;
  std::string last = "x";
  for (int i = 0; i < kNodes; ++i) {
    const std::string next = i + 1 == kNodes ? std::string("y") : absl::StrCat("t", i);
    AddNode(graph_, "Relu", {last}, next);
    last = next;
  }
  EXPECT_EQ(Cuts().size(), kNodes + 1U);
}

// Returns the table of a chain x -> t1 -> ... -> y with these element counts.
CutTable TableOf(const std::vector<std::int64_t>& elements) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("t0", {-1, 4}, *graph.add_input());
  std::map<std::string, TensorSpec> specs;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    const std::string name = absl::StrCat("t", i);
    specs[name] = {name, DataType::kFloat32, {1, elements[i]}};
    if (i > 0) AddNode(graph, "Relu", {absl::StrCat("t", i - 1)}, name);
  }
  Describe(absl::StrCat("t", elements.size() - 1), {-1, 4}, *graph.add_output());
  const auto read = Graph::FromBytes(model.SerializeAsString(), "chain");
  EXPECT_TRUE(read.ok()) << read.status();
  return *MakeCutTable(**read, *EnumerateCuts(**read), {{specs["t0"]}, {}}, specs);
}

TEST(CutTable, FindsBottlenecksAndTheFrontier) {
  const CutTable table = TableOf({100, 400, 90, 95, 90, 20, 50, 10});
  std::vector<bool> bottleneck;
  std::vector<bool> frontier;
  for (const CutInfo& info : table.cuts) {
    bottleneck.push_back(info.natural_bottleneck);
    frontier.push_back(info.frontier);
  }
  EXPECT_THAT(bottleneck, ElementsAre(false, false, true, true, true, true, true, true));
  EXPECT_THAT(frontier, ElementsAre(false, false, true, false, false, true, false, true));
  EXPECT_EQ(table.natural_bottlenecks(), 6);
  EXPECT_EQ(table.frontier(), 3);
  EXPECT_DOUBLE_EQ(table.cuts[1].compression_ratio, 4);
  EXPECT_EQ(table.cuts[5].bytes, 80);
}

TEST(CutTable, CandidatesAreChosenByTheFilesOwnShapesButNeverWhereNothingCanBeSent) {
  CutTable table = TableOf({100, 400, 390, 95, 90, 20, 50, 10});
  table.chosen_by = std::make_shared<const CutTable>(TableOf({100, 400, 90, 95, 90, 20, 50, 10}));
  EXPECT_THAT(SelectCandidates(table, *CandidateSpec::Parse("frontier")), ElementsAre(0, 2, 5, 7));
  table.cuts[2].obstacle = "is a sequence";
  EXPECT_THAT(SelectCandidates(table, *CandidateSpec::Parse("frontier")), ElementsAre(0, 5, 7));
  EXPECT_EQ(SelectCandidates(table, *CandidateSpec::Parse("all")).size(), 7U);
}

TEST(CutTable, SelectsCandidates) {
  const CutTable table = TableOf({100, 400, 90, 95, 90, 20, 50, 10});
  EXPECT_THAT(SelectCandidates(table, *CandidateSpec::Parse("frontier")), ElementsAre(0, 2, 5, 7));
  EXPECT_EQ(SelectCandidates(table, *CandidateSpec::Parse("all")).size(), 8U);
  EXPECT_THAT(SelectCandidates(table, *CandidateSpec::Parse("1")), ElementsAre(0, 5, 7));
  EXPECT_EQ(SelectCandidates(table, *CandidateSpec::Parse("4")).size(), 6U);
  EXPECT_FALSE(CandidateSpec::Parse("0").ok());
  EXPECT_FALSE(CandidateSpec::Parse("some").ok());
}

TEST(CutTable, KnowsTheOutputsThatStayInAHead) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& nodes = *model.mutable_graph();
  Describe("x", {-1, 4}, *nodes.add_input());
  Describe("early", {-1, 4}, *nodes.add_output());
  Describe("y", {-1, 4}, *nodes.add_output());
  AddNode(nodes, "Relu", {"x"}, "a");
  AddNode(nodes, "Abs", {"a"}, "early");
  AddNode(nodes, "Neg", {"a"}, "b");
  AddNode(nodes, "Exp", {"b"}, "y");
  const auto graph = Graph::FromBytes(model.SerializeAsString(), "m");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const CutList list = *EnumerateCuts(**graph);
  CutTable table;
  table.order = list.order;
  for (const Cut& cut : list.cuts) table.cuts.emplace_back().cut = cut;
  std::map<Names, Names> before;
  for (const Cut& cut : list.cuts) {
    before[cut.tensors] = OutputsBefore(**graph, table, cut.index);
  }
  EXPECT_THAT(before[{"x"}], ElementsAre());
  EXPECT_THAT(before[{"a"}], ElementsAre());
  EXPECT_THAT(before[{"b"}], ElementsAre("early"));
  EXPECT_THAT((before[list.cuts.back().tensors]), ElementsAre()) << "all are alive there";
}

TEST(CutTable, NamesATensorWithoutAShape) {
  const auto graph = Graph::FromBytes(testing::PoolModel(), "pool");
  const auto table = MakeCutTable(**graph, *EnumerateCuts(**graph), {(*graph)->inputs(), {}}, {});
  ASSERT_FALSE(table.ok());
  EXPECT_THAT(std::string(table.status().message()), ::testing::HasSubstr("'x'"));
}

}  // namespace
}  // namespace cleave
