#include "model/value_hints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/odd_models.h"

namespace cleave {
namespace {

using testing::AddIntegers;
using testing::AddNode;
using testing::AddStrings;
using testing::DescribeAs;
using ::testing::IsEmpty;

const std::vector<std::string> kColours = {"red", "green"};
const std::vector<std::string> kSizes = {"small", "large"};

void AddInput(const std::string& name, const std::vector<testing::Dim>& dims,
              onnx::GraphProto& graph) {
  DescribeAs(name, onnx::TensorProto::STRING, dims, *graph.add_input());
}

TEST(FindValueHints, FollowsColumnsThroughOneInput) {
  const onnx::ModelProto model = testing::CategoryModel();
  const auto words = FindValueHints(model.graph()).words;
  ASSERT_EQ(words.size(), 1U);
  EXPECT_EQ(words.at("x"), (ColumnWords{{"red", "green", "blue"}, {"small", "large"}}));
}

TEST(FindValueHints, FollowsColumnsThroughInputsThatAreJoined) {
  onnx::GraphProto graph;
  AddInput("pair", {"N", 2}, graph);
  AddInput("size", {"N", 1}, graph);
  AddIntegers("first", {1, 2}, {2}, graph);
  AddIntegers("then", {1}, {1}, graph);
  AddIntegers("one", {0}, {1}, graph);
  AddNode(graph, "Concat", {"pair", "size"}, "all");
  AddNode(graph, "ArrayFeatureExtractor", {"all", "first"}, "some");
  AddNode(graph, "ArrayFeatureExtractor", {"some", "then"}, "sizes");
  AddStrings("cats_strings", kSizes, AddNode(graph, "OneHotEncoder", {"sizes"}, "s"));
  AddNode(graph, "Gather", {"some", "one"}, "colours");
  AddStrings("keys_strings", kColours, AddNode(graph, "LabelEncoder", {"colours"}, "c"));
  const auto words = FindValueHints(graph).words;
  ASSERT_EQ(words.size(), 2U);
  EXPECT_EQ(words.at("pair"), (ColumnWords{{}, kColours}));
  EXPECT_EQ(words.at("size"), (ColumnWords{kSizes}));
}

TEST(FindValueHints, KnowsTheListsOfAllOperators) {
  for (const char* list : {"cats_strings", "keys_strings", "classes_strings", "pool_strings"}) {
    onnx::GraphProto graph;
    AddInput("x", {"N"}, graph);
    AddNode(graph, "StringNormalizer", {"x"}, "n");
    AddStrings(list, kSizes, AddNode(graph, "Encoder", {"n"}, "y"));
    EXPECT_EQ(FindValueHints(graph).words.at("x"), (ColumnWords{kSizes})) << list;
  }
  onnx::GraphProto graph;
  AddInput("x", {"N"}, graph);
  onnx::AttributeProto& keys = *AddNode(graph, "LabelEncoder", {"x"}, "y").add_attribute();
  keys.set_name("keys_tensor");
  keys.set_type(onnx::AttributeProto::TENSOR);
  for (const std::string& size : kSizes) keys.mutable_t()->add_string_data(size);
  EXPECT_EQ(FindValueHints(graph).words.at("x"), (ColumnWords{kSizes}));
}

TEST(FindValueHints, HostileGraphsEnd) {
  onnx::GraphProto graph;
  AddInput("x", {"N", 1}, graph);
  // A cycle, a chain that recursion would not survive, and columns beyond all bounds.
  AddNode(graph, "Identity", {"b"}, "a");
  AddNode(graph, "Identity", {"a"}, "b");
  AddStrings("cats_strings", kSizes, AddNode(graph, "OneHotEncoder", {"b"}, "y"));
  std::string last = "x";
  for (int i = 0; i < 100'000; ++i) {
    const std::string next = "t" + std::to_string(i);
    AddNode(graph, "Identity", {last}, next);
    last = next;
  }
  AddIntegers("at", {std::int64_t{1} << 40, -1}, {2}, graph);
  AddNode(graph, "Gather", {last, "at"}, "g");
  for (int i = 0; i < 30; ++i) {
    const std::string number = std::to_string(i);
    AddStrings("cats_strings", kSizes, AddNode(graph, "OneHotEncoder", {"g"}, "y" + number));
  }
  EXPECT_THAT(FindValueHints(graph).words, IsEmpty());
}

TEST(FindValueHints, KnowsWhatASplitIsOf) {
  const auto splits = FindValueHints(testing::SplitSizesModel().graph()).splits;
  ASSERT_EQ(splits.size(), 1U);
  EXPECT_EQ(splits.at("sizes").data, "x");
  EXPECT_EQ(splits.at("sizes").axis, -1);
}

TEST(FindValueHints, NumbersHaveNone) {
  EXPECT_THAT(FindValueHints(testing::TokenModel().graph()).words, IsEmpty());
}

}  // namespace
}  // namespace cleave
