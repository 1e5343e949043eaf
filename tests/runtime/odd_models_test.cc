// What real files have and what is easily handled wrongly: free shapes, wrong declarations, half
// precision, sequences, sparse weights, randomness. Head and tail together are the whole model.

#include "support/odd_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <string>

#include "runtime/chain.h"
#include "runtime/exit_models.h"

namespace cleave {
namespace {

using ::cleave::testing::OddModel;
using ::testing::HasSubstr;

std::shared_ptr<const Graph> Parse(const onnx::ModelProto& model) {
  const auto graph = Graph::FromBytes(model.SerializeAsString(), "odd.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

struct Loaded {
  std::shared_ptr<const Graph> graph;
  CutTable table;
  std::unique_ptr<Chain> chain;
};

Loaded Load(const onnx::ModelProto& model, const ShapeRequest& request = {}) {
  Loaded loaded;
  loaded.graph = Parse(model);
  const auto table = BuildCutTable(*loaded.graph, request);
  EXPECT_TRUE(table.ok()) << table.status();
  loaded.table = *table;
  CutList cuts;
  cuts.order = table->order;
  for (const CutInfo& info : table->cuts) cuts.cuts.push_back(info.cut);
  auto chain =
      Chain::Create(loaded.graph, cuts, SelectCandidates(*table, {CandidateSpec::Kind::kAll, 0}),
                    {}, {}, nullptr, TensorsOf(*table));
  EXPECT_TRUE(chain.ok()) << chain.status();
  loaded.chain = *std::move(chain);
  return loaded;
}

// A whole model computes in single precision what a cut rounds to half.
void ExpectNear(const Tensor& found, const Tensor& expected) {
  constexpr float kHalfPrecision = 1.0F / 1024;
  for (std::size_t i = 0; i < expected.floats().size(); ++i) {
    const float allowed = kHalfPrecision * std::max(1.0F, std::abs(expected.floats()[i]));
    EXPECT_NEAR(found.floats()[i], expected.floats()[i], allowed) << i;
  }
}

// Compares head and tail at every boundary with the whole model, bit for bit.
void CheckAllCuts(const Loaded& loaded, const std::vector<NamedTensor>& inputs) {
  const auto whole = WholeModel::Create(*loaded.graph, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto expected = (*whole)->Run(inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  for (int at = 0; at <= loaded.chain->segments(); ++at) {
    SCOPED_TRACE(at);
    const auto head = loaded.chain->Run(0, at, inputs);
    ASSERT_TRUE(head.ok()) << head.status();
    const auto tail = loaded.chain->Run(at, loaded.chain->segments(), head->tensors);
    ASSERT_TRUE(tail.ok()) << tail.status();
    std::map<std::string, Tensor> found;
    for (const auto* part : {&head->early_outputs, &tail->early_outputs, &tail->tensors}) {
      for (const NamedTensor& tensor : *part) found[tensor.name] = tensor.tensor;
    }
    for (const NamedTensor& output : *expected) {
      ASSERT_TRUE(found.contains(output.name)) << output.name;
      EXPECT_EQ(found[output.name].dtype(), output.tensor.dtype()) << output.name;
      EXPECT_EQ(found[output.name].shape(), output.tensor.shape()) << output.name;
      if (loaded.graph->uses_half() && output.tensor.dtype() == DataType::kFloat32) {
        ExpectNear(found[output.name], output.tensor);
      } else {
        EXPECT_TRUE(found[output.name].bytes() == output.tensor.bytes()) << output.name;
      }
    }
  }
}

class OddModelTest : public ::testing::TestWithParam<OddModel> {};

TEST_P(OddModelTest, IsWholeAtEveryCut) {
  const Loaded loaded = Load(GetParam().proto);
  ASSERT_NE(loaded.chain, nullptr);
  const auto inputs = RandomInputs(loaded.table.inputs.specs, 1, loaded.graph->value_hints());
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  CheckAllCuts(loaded, *inputs);
}

INSTANTIATE_TEST_SUITE_P(All, OddModelTest, ::testing::ValuesIn(testing::OddModels()),
                         [](const auto& model) { return model.param.name; });

std::vector<NamedTensor> InputsAt(const Graph& graph, const InputShapes& shapes) {
  return RandomInputs(SpecsOf(graph, shapes), 3, graph.value_hints()).value();
}

TEST(OddModels, OneLoadServesEveryShape) {
  const Loaded pictures = Load(testing::FreeSizeModel());
  for (const Shape& shape : {Shape{1, 3, 8, 8}, Shape{2, 3, 10, 6}, Shape{5, 3, 64, 32}}) {
    CheckAllCuts(pictures, InputsAt(*pictures.graph, {shape}));
  }
  const Loaded text = Load(testing::TokenModel());
  for (const Shape& shape : {Shape{1, 1}, Shape{3, 7}, Shape{2, 0}}) {
    CheckAllCuts(text, InputsAt(*text.graph, {shape, shape}));
  }
  const Loaded second = Load(testing::BatchSecondModel());
  CheckAllCuts(second, InputsAt(*second.graph, {{7, 3, 4}}));
}

TEST(OddModels, StringsMayBeAnyBytes) {
  const Loaded loaded = Load(testing::TextModel());
  const absl::string_view texts[] = {"", absl::string_view("\0x\0", 3), "\xFF\xFE", "h\xC3\xBC"};
  CheckAllCuts(loaded, {{"x", Tensor::FromStrings({4}, texts).value()}});
  CheckAllCuts(loaded, InputsAt(*loaded.graph, {{0}}));
  for (const CutInfo& info : loaded.table.cuts) EXPECT_EQ(info.obstacle, "");
}

TEST(OddModels, CategoriesOfEachColumnAreKnown) {
  const Loaded loaded = Load(testing::CategoryModel());
  EXPECT_EQ(loaded.graph->value_hints().words.at("x"),
            (ColumnWords{{"red", "green", "blue"}, {"small", "large"}}));
  CheckAllCuts(loaded, InputsAt(*loaded.graph, {{7, 2}}));
}

TEST(OddModels, SizesOfASplitSumToWhatIsSplit) {
  const Loaded loaded = Load(testing::SplitSizesModel());
  const auto inputs = InputsAt(*loaded.graph, {{2, 8}, {3}});
  const auto* sizes = reinterpret_cast<const std::int64_t*>(inputs[1].tensor.data());
  EXPECT_THAT(std::vector<std::int64_t>(sizes, sizes + 3), ::testing::ElementsAre(3, 3, 2));
  CheckAllCuts(loaded, inputs);
}

TEST(OddModels, StaleDeclarationsDoNotCount) {
  const Loaded stale = Load(testing::StaleShapesModel());
  CheckAllCuts(stale, InputsAt(*stale.graph, {{2, 8}}));
  CheckAllCuts(stale, InputsAt(*stale.graph, {{9, 8}}));
  const Loaded wrong = Load(testing::WronglyDeclaredModel());
  EXPECT_EQ(wrong.table.cuts.back().tensors[0].shape, (Shape{5, 1, 8}));
  EXPECT_EQ(wrong.chain->LiveTypes(wrong.chain->segments())[0].shape, (Shape{5, 1, 8}));
}

TEST(OddModels, HalfPrecisionIsNotTakenForSingle) {
  const Loaded half = Load(testing::HalfInsideModel());
  for (const CutInfo& info : half.table.cuts) {
    const bool inside = info.cut.index > 0 && info.cut.index < 4;
    ASSERT_EQ(info.tensors.size(), 1U);
    EXPECT_EQ(info.tensors[0].dtype, inside ? DataType::kFloat16 : DataType::kFloat32);
    EXPECT_EQ(info.bytes, inside ? 16 : 32);
  }
}

TEST(OddModels, OnlyTheCutInASequenceGoes) {
  const Loaded loaded = Load(testing::SequenceModel());
  int obstacles = 0;
  for (const CutInfo& info : loaded.table.cuts) {
    if (info.obstacle.empty()) continue;
    ++obstacles;
    EXPECT_THAT(info.obstacle, HasSubstr("'s'"));
    EXPECT_FALSE(info.natural_bottleneck);
  }
  EXPECT_EQ(obstacles, 1);
  EXPECT_EQ(loaded.chain->boundaries().size(), loaded.table.cuts.size() - 1);
}

TEST(OddModels, NoCutLiesInsideAQuantizedGroup) {
  const Loaded loaded = Load(testing::QuantizedModel());
  std::vector<std::string> offered;
  for (const int cut : loaded.chain->boundaries()) {
    const CutInfo& info = loaded.table.cuts[static_cast<std::size_t>(cut)];
    ASSERT_EQ(info.tensors.size(), 1U);
    offered.push_back(info.tensors[0].name);
  }
  EXPECT_THAT(offered, ::testing::ElementsAre("x", "q", "q2", "q3", "y"));
  EXPECT_THAT(loaded.table.cuts[2].obstacle, HasSubstr("'d' lies inside a group of quantized"));
}

TEST(OddModels, ScoresTakeThePlaceOfMaps) {
  const auto graph = Parse(testing::MapOutputModel());
  std::vector<std::string> names;
  for (const TensorSpec& output : graph->outputs()) names.push_back(output.name);
  EXPECT_THAT(names, ::testing::ElementsAre("label", "scores"));
  EXPECT_THAT(graph->left_out(), ::testing::IsEmpty());

  onnx::ModelProto complex = testing::MapOutputModel();
  complex.mutable_graph()->mutable_output(0)->mutable_type()->mutable_tensor_type()->set_elem_type(
      onnx::TensorProto::COMPLEX64);
  const auto without = Parse(complex);
  ASSERT_EQ(without->outputs().size(), 1U);
  ASSERT_EQ(without->left_out().size(), 1U);
  EXPECT_THAT(without->left_out()[0], HasSubstr("'label'"));
}

// With one k, y - x is 0 where x is large; with two it is not.
TEST(OddModels, HiddenRandomNumbersAreDrawnOnce) {
  for (const testing::Hiding where : {testing::Hiding::kFunction, testing::Hiding::kBranch}) {
    const Loaded loaded = Load(testing::HiddenRandomModel(where));
    const std::vector<NamedTensor> inputs = {
        {"x", Tensor::FromFloats({1, 8}, std::vector<float>(8, 4)).value()}};
    for (int at = 0; at <= loaded.chain->segments(); ++at) {
      const auto head = loaded.chain->Run(0, at, inputs);
      ASSERT_TRUE(head.ok()) << head.status();
      const auto tail = loaded.chain->Run(at, loaded.chain->segments(), head->tensors);
      ASSERT_TRUE(tail.ok()) << tail.status();
      for (const float y : tail->tensors[0].tensor.floats()) EXPECT_NEAR(y, 4, 1e-6);
    }
  }
}

TEST(OddModels, LiveTensorsAreToldAfterEachSegment) {
  const Loaded loaded = Load(testing::FreeSizeModel());
  const auto run =
      loaded.chain->Run(0, loaded.chain->segments(), InputsAt(*loaded.graph, {{2, 3, 16, 8}}), {},
                        Chain::Report::kLiveTypes);
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ(run->live.size(), static_cast<std::size_t>(loaded.chain->segments()));
  EXPECT_EQ(run->live.front()[0].shape, (Shape{2, 8, 16, 8}));
  EXPECT_EQ(run->live.back()[0].shape, (Shape{2, 8, 1, 1}));
}

TEST(OddModels, ARefusedGuessIsFollowedByAnotherAndSaid) {
  // A reshape that only 64 pixels a side fit.
  onnx::ModelProto model = testing::EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  testing::DescribeAs("x", onnx::TensorProto::FLOAT, {1, 3, "H", "W"}, *graph.add_input());
  testing::DescribeAs("y", onnx::TensorProto::FLOAT, {3, 4096}, *graph.add_output());
  testing::AddIntegers("s", {3, 4096}, {2}, graph);
  testing::AddNode(graph, "Relu", {"x"}, "r");
  testing::AddNode(graph, "Reshape", {"r", "s"}, "y");
  const auto table = BuildCutTable(*Parse(model), ShapeRequest());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->inputs.specs[0].shape, (Shape{1, 3, 64, 64}));
  ASSERT_EQ(table->inputs.guesses.size(), 2U);
  EXPECT_THAT(table->inputs.guesses[0], HasSubstr("dimension 2 ('H') is free, taken as 64"));

  graph.mutable_initializer(0)->set_int64_data(1, 4097);
  const auto refused = BuildCutTable(*Parse(model), ShapeRequest());
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--shape x=... changes it"));
}

std::vector<int> CandidatesAt(const CandidateSpec& cuts, const ShapeRequest& inputs) {
  const auto graph = Graph::FromBytes(testing::LengthModel().SerializeAsString(), "length.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  const auto tables = BuildExitTables(*graph, {.cuts = cuts, .inputs = inputs});
  EXPECT_TRUE(tables.ok()) << tables.status();
  return tables->front().candidates;
}

TEST(OddModels, CandidatesDoNotDependOnTheShapesThatOneSideIsGiven) {
  const ShapeRequest few{.batch = {}, .shapes = {{"x", {1, 4, 8}}}};
  const ShapeRequest batch{.batch = 3, .shapes = {}};
  for (const CandidateSpec& cuts : {CandidateSpec{}, CandidateSpec{CandidateSpec::Kind::kCount, 1},
                                    CandidateSpec{CandidateSpec::Kind::kCount, 2},
                                    CandidateSpec{CandidateSpec::Kind::kAll, 0}}) {
    const std::vector<int> unasked = CandidatesAt(cuts, {});
    EXPECT_GT(unasked.size(), 2U);
    EXPECT_EQ(CandidatesAt(cuts, few), unasked);
    EXPECT_EQ(CandidatesAt(cuts, batch), unasked);
  }
}

TEST(OddModels, FiguresAreThoseOfTheShapesAskedFor) {
  const auto graph = Graph::FromBytes(testing::LengthModel().SerializeAsString(), "length.onnx");
  ASSERT_TRUE(graph.ok()) << graph.status();
  const ShapeRequest few{.batch = {}, .shapes = {{"x", {1, 4, 8}}}};
  const auto table = BuildCutTable(**graph, few);
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_EQ(table->cuts.front().elements, 32);
  const auto products = std::find_if(table->cuts.begin(), table->cuts.end(), [](const auto& info) {
    return info.cut.tensors == std::vector<std::string>{"g"};
  });
  ASSERT_NE(products, table->cuts.end());
  EXPECT_EQ(products->compression_ratio, 2);
  EXPECT_FALSE(products->frontier);
  EXPECT_THAT(SelectCandidates(*table, {}), ::testing::Contains(products->cut.index));
}

TEST(RandomInputsTest, EveryTypeHasValuesThatModelsTake) {
  const auto inputs = RandomInputs({{"h", DataType::kFloat16, {64}},
                                    {"d", DataType::kFloat64, {64}},
                                    {"b", DataType::kUint8, {64}},
                                    {"n", DataType::kInt64, {2}},
                                    {"sr", DataType::kInt64, {}},
                                    {"empty", DataType::kFloat32, {0, 3}},
                                    {"words", DataType::kString, {2, 3}}},
                                   1);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  for (int i = 0; i < 3; ++i) {
    const absl::string_view bytes = (*inputs)[i].tensor.bytes();
    EXPECT_TRUE(std::any_of(bytes.begin(), bytes.end(), [](char c) { return c != 0; })) << i;
  }
  const auto integer = [&](int i) {
    std::int64_t value = 0;
    std::memcpy(&value, (*inputs)[i].tensor.data(), sizeof(value));
    return value;
  };
  EXPECT_EQ(integer(3), 1);
  EXPECT_EQ(integer(4), 16000);
  EXPECT_EQ((*inputs)[5].tensor.elements(), 0);
  for (const absl::string_view word : (*inputs)[6].tensor.strings()) EXPECT_FALSE(word.empty());
}

}  // namespace
}  // namespace cleave
