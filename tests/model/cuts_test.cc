#include "model/cuts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "edge/tiny_models.h"

namespace cleave {
namespace {

using testing::AddNode;
using testing::Describe;
using ::testing::ElementsAre;
using testing::EmptyModel;
using ::testing::UnorderedElementsAre;

using Names = std::vector<std::string>;

// A graph from x to y with shapes that do not matter.
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
  AddNode(graph_, "Neg", {"k"}, "minus_k");  // Constant as well: no input leads to it.
  AddNode(graph_, "Add", {"x", "minus_k"}, "a");
  AddNode(graph_, "Mul", {"a", "minus_k"}, "y");
  EXPECT_THAT(Cuts(), ElementsAre(Names{"x"}, Names{"a"}, Names{"y"}));
}

// Down and up again, each level joined to the one opposite: no tensor parts it alone.
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

// A chain x -> t1 -> ... -> y with these element counts.
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
  return *MakeCutTable(**read, *EnumerateCuts(**read), 1, specs);
}

TEST(CutTable, FindsBottlenecksAndTheFrontier) {
  const CutTable table = TableOf({100, 400, 90, 95, 90, 20, 50, 10});
  std::vector<bool> bottleneck;
  std::vector<bool> frontier;
  for (const CutInfo& info : table.cuts) {
    bottleneck.push_back(info.natural_bottleneck);
    frontier.push_back(info.frontier);
  }
  EXPECT_THAT(bottleneck, ElementsAre(false, false, true, true, true, true, true, false));
  EXPECT_THAT(frontier, ElementsAre(false, false, true, false, false, true, false, false));
  EXPECT_EQ(table.natural_bottlenecks(), 5);
  EXPECT_EQ(table.frontier(), 2);
  EXPECT_DOUBLE_EQ(table.cuts[1].compression_ratio, 4);
  EXPECT_EQ(table.cuts[5].bytes, 80);
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

TEST(CutTable, NamesATensorWithoutAShape) {
  const auto graph = Graph::FromBytes(testing::PoolModel(), "pool");
  const auto table = MakeCutTable(**graph, *EnumerateCuts(**graph), 1, {});
  ASSERT_FALSE(table.ok());
  EXPECT_THAT(std::string(table.status().message()), ::testing::HasSubstr("'x'"));
}

}  // namespace
}  // namespace cleave
