#include "runtime/chain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "model/input_shapes.h"
#include "runtime/models.h"

namespace cleave {
namespace {

using ::cleave::testing::AddNode;
using ::cleave::testing::AllCuts;
using ::cleave::testing::Describe;
using ::cleave::testing::EarlyOutputModel;
using ::cleave::testing::EmptyModel;
using ::cleave::testing::Parse;
using ::cleave::testing::PoolModel;
using ::cleave::testing::ResidualModel;
using ::cleave::testing::SlowModel;
using ::testing::HasSubstr;

std::shared_ptr<const Graph> ParseBytes(const std::string& bytes) {
  auto graph = Graph::FromBytes(bytes, "tiny.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

std::unique_ptr<Chain> ChainOfAllCuts(const std::shared_ptr<const Graph>& graph) {
  const auto cuts = EnumerateCuts(*graph);
  EXPECT_TRUE(cuts.ok()) << cuts.status();
  auto chain = Chain::Create(graph, *cuts, AllCuts(*cuts), {});
  EXPECT_TRUE(chain.ok()) << chain.status();
  return *std::move(chain);
}

NamedTensor Floats(const std::string& name, Shape shape, std::vector<float> values) {
  return {name, *Tensor::FromFloats(std::move(shape), std::move(values))};
}

void ExpectSame(const NamedTensor& expected, const NamedTensor& found) {
  EXPECT_EQ(expected.name, found.name);
  ASSERT_EQ(ShapeString(expected.tensor.shape()), ShapeString(found.tensor.shape()));
  for (std::int64_t i = 0; i < expected.tensor.elements(); ++i) {
    const float value = expected.tensor.floats()[i];
    ASSERT_NEAR(value, found.tensor.floats()[i], 1e-5 * (1 + std::abs(value))) << expected.name;
  }
}

void ExpectHeadThenTailIsWhole(const std::shared_ptr<const Graph>& graph, std::int64_t batch) {
  const auto chain = ChainOfAllCuts(graph);
  const auto whole = WholeModel::Create(*graph, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto inputs = RandomInputs(*graph, batch, 7);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  const auto expected = (*whole)->Run(*inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();
  for (int at = 0; at <= chain->segments(); ++at) {
    const auto head = chain->Run(0, at, *inputs);
    ASSERT_TRUE(head.ok()) << head.status();
    const auto tail = chain->Run(at, chain->segments(), head->tensors);
    ASSERT_TRUE(tail.ok()) << tail.status();
    EXPECT_EQ(head->segment_us.size() + tail->segment_us.size(),
              static_cast<std::size_t>(chain->segments()));
    std::vector<NamedTensor> outputs = head->early_outputs;
    outputs.insert(outputs.end(), tail->tensors.begin(), tail->tensors.end());
    ASSERT_GE(outputs.size(), expected->size()) << "boundary " << at;
    for (const NamedTensor& output : *expected) {
      const auto found = std::find_if(outputs.begin(), outputs.end(),
                                      [&](const auto& other) { return other.name == output.name; });
      ASSERT_NE(found, outputs.end()) << output.name << " at boundary " << at;
      ExpectSame(output, *found);
    }
  }
}

TEST(ChainTest, HeadThenTailIsWholeAtEveryCut) {
  ExpectHeadThenTailIsWhole(ParseBytes(PoolModel()), 1);
}

TEST(ChainTest, BatchMayChangeFromRunToRun) {
  const auto chain = ChainOfAllCuts(ParseBytes(PoolModel()));
  for (const std::int64_t batch : {1, 3, 2}) {
    const auto inputs = RandomInputs(chain->graph(), batch, 1);
    const auto result = chain->Run(0, chain->segments(), *inputs);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->tensors[0].tensor.shape(), (Shape{batch, 3, 1, 1}));
  }
}

TEST(ChainTest, ResidualsAcrossACutKeepTheirValues) {
  for (const std::int64_t channels : {1, 3, 8, 16, 24, 32, 80}) {
    SCOPED_TRACE(channels);
    ExpectHeadThenTailIsWhole(Parse(ResidualModel(channels)), 2);
  }
}

TEST(ChainTest, EarlyOutputsComeOutOfTheHead) {
  const auto graph = Parse(EarlyOutputModel());
  ExpectHeadThenTailIsWhole(graph, 2);
  const auto chain = ChainOfAllCuts(graph);
  const auto inputs = RandomInputs(*graph, 1, 1);
  const auto head = chain->Run(0, chain->segments() - 1, *inputs);
  ASSERT_TRUE(head.ok()) << head.status();
  ASSERT_EQ(head->early_outputs.size(), 1U);
  EXPECT_EQ(head->early_outputs[0].name, "early");
  const auto all = chain->Run(0, chain->segments(), *inputs);
  ASSERT_TRUE(all.ok()) << all.status();
  ASSERT_EQ(all->tensors.size(), 2U);
  EXPECT_EQ(all->tensors[0].name, "y");
  EXPECT_EQ(all->tensors[1].name, "early");
  EXPECT_TRUE(all->early_outputs.empty());
}

TEST(ChainTest, TensorsThatPassASegmentAreNotCopied) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("skip", {-1, 4}, *graph.add_input());
  Describe("y", {-1, 4}, *graph.add_output());
  std::string last = "x";
  for (int i = 0; i < 6; ++i) {
    const std::string next = "t" + std::to_string(i);
    AddNode(graph, i % 2 == 0 ? "Neg" : "Abs", {last}, next);
    last = next;
  }
  AddNode(graph, "Add", {last, "skip"}, "y");
  const auto parsed = Parse(model);
  const auto chain = ChainOfAllCuts(parsed);
  ASSERT_GT(chain->segments(), 3);
  const auto inputs = RandomInputs(*parsed, 1, 1);
  const auto head = chain->Run(0, 2, *inputs);
  ASSERT_TRUE(head.ok()) << head.status();
  const auto skip = std::find_if(head->tensors.begin(), head->tensors.end(),
                                 [](const NamedTensor& tensor) { return tensor.name == "skip"; });
  ASSERT_NE(skip, head->tensors.end());
  EXPECT_EQ(skip->tensor.data(), (*inputs)[1].tensor.data());
  ExpectHeadThenTailIsWhole(parsed, 3);
}

TEST(ChainTest, FromEqualToPassesTheInputsThrough) {
  const auto chain = ChainOfAllCuts(ParseBytes(PoolModel()));
  const auto inputs = RandomInputs(chain->graph(), 1, 1);
  const auto result = chain->Run(0, 0, *inputs);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->tensors.size(), 1U);
  EXPECT_EQ(result->tensors[0].tensor.data(), (*inputs)[0].tensor.data());
  EXPECT_TRUE(result->segment_us.empty());
}

TEST(ChainTest, ResultsOutliveTheChain) {
  auto chain = ChainOfAllCuts(ParseBytes(PoolModel()));
  auto result = chain->Run(0, chain->segments(), *RandomInputs(chain->graph(), 1, 1));
  ASSERT_TRUE(result.ok()) << result.status();
  chain.reset();
  float sum = 0;
  for (const float value : result->tensors[0].tensor.floats()) sum += value;
  EXPECT_TRUE(std::isfinite(sum));
}

TEST(ChainTest, RunsMayOverlap) {
  const auto chain = ChainOfAllCuts(Parse(ResidualModel(16)));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&chain, t] {
      const auto inputs = RandomInputs(chain->graph(), 1 + t, t);
      const auto first = chain->Run(0, chain->segments(), *inputs);
      for (int i = 0; i < 20; ++i) {
        const auto again = chain->Run(0, chain->segments(), *inputs);
        ASSERT_TRUE(first.ok() && again.ok());
        EXPECT_EQ(first->tensors[0].tensor.bytes(), again->tensors[0].tensor.bytes());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

struct BadInput {
  const char* what;
  std::vector<NamedTensor> tensors;
  const char* message;
};

TEST(ChainTest, RefusesTensorsThatDoNotFit) {
  const auto chain = ChainOfAllCuts(ParseBytes(PoolModel()));
  const int at = chain->BoundaryOf(2);
  ASSERT_GT(at, 0);
  ASSERT_EQ(chain->LiveTensors(at), std::vector<std::string>{"p"});
  const NamedTensor good = Floats("p", {1, 3, 4, 4}, std::vector<float>(48, 1));
  ASSERT_TRUE(chain->Run(at, chain->segments(), {good}).ok());
  const std::vector<BadInput> bad = {
      {"misnamed", {{"q", good.tensor}}, "found tensor 'q', expected 'p'"},
      {"missing", {}, "tensor 'p' is missing"},
      {"twice", {good, good}, "tensor 'p' is given twice"},
      {"mistyped",
       {{"p", *Tensor::Zeros(DataType::kInt64, {1, 3, 4, 4})}},
       "found type INT64, expected FP32"},
      {"wrong rank",
       {Floats("p", {1, 48}, std::vector<float>(48, 1))},
       "found shape 1x48, expected ?x3x4x4"},
      {"misshaped",
       {Floats("p", {1, 3, 2, 8}, std::vector<float>(48, 1))},
       "found shape 1x3x2x8, expected ?x3x4x4"},
  };
  for (const BadInput& input : bad) {
    SCOPED_TRACE(input.what);
    const auto result = chain->Run(at, chain->segments(), input.tensors);
    ASSERT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(input.message));
  }
}

TEST(ChainTest, RefusesBoundariesOutOfRange) {
  const auto chain = ChainOfAllCuts(ParseBytes(PoolModel()));
  const auto inputs = RandomInputs(chain->graph(), 1, 1);
  for (const auto& [from, to] :
       std::vector<std::pair<int, int>>{{-1, 1}, {1, 0}, {0, chain->segments() + 1}}) {
    EXPECT_EQ(chain->Run(from, to, *inputs).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(chain->BoundaryOf(99), -1);
}

TEST(ChainTest, CreateRefusesBoundariesThatAreNotAChain) {
  const auto graph = ParseBytes(PoolModel());
  const auto cuts = EnumerateCuts(*graph);
  const int last = static_cast<int>(cuts->cuts.size()) - 1;
  for (const std::vector<int>& boundaries : std::vector<std::vector<int>>{
           {}, {0}, {0, 1}, {1, last}, {0, 2, 1, last}, {0, 1, 1, last}, {0, last + 1}}) {
    EXPECT_EQ(Chain::Create(graph, *cuts, boundaries, {}).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
}

TEST(ChainTest, UnknownOperatorNamesFileAndSegment) {
  onnx::ModelProto model = EmptyModel();
  onnx::GraphProto& graph = *model.mutable_graph();
  Describe("x", {-1, 4}, *graph.add_input());
  Describe("y", {-1, 4}, *graph.add_output());
  AddNode(graph, "Relu", {"x"}, "r");
  AddNode(graph, "FrobnicateTensor", {"r"}, "y");
  const auto parsed = Parse(model);
  const auto cuts = EnumerateCuts(*parsed);
  ASSERT_TRUE(cuts.ok()) << cuts.status();
  const auto chain = Chain::Create(parsed, *cuts, AllCuts(*cuts), {});
  ASSERT_EQ(chain.status().code(), absl::StatusCode::kInvalidArgument) << chain.status();
  const std::string message(chain.status().message());
  EXPECT_THAT(message, HasSubstr("tiny"));
  EXPECT_THAT(message, HasSubstr("segment 1 (cut 1 to 2)"));
  EXPECT_THAT(message, HasSubstr("FrobnicateTensor"));
  EXPECT_EQ(ProbeShapes(*parsed, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ChainTest, CancelledBeforeItStarts) {
  const auto chain = ChainOfAllCuts(ParseBytes(PoolModel()));
  const CancelToken cancel;
  cancel.Cancel();
  const auto inputs = RandomInputs(chain->graph(), 1, 1);
  EXPECT_EQ(chain->Run(0, chain->segments(), *inputs, cancel).status().code(),
            absl::StatusCode::kCancelled);
}

TEST(ChainTest, CancelStopsARunningSegment) {
  const auto graph = ParseBytes(SlowModel(400));
  const auto cuts = EnumerateCuts(*graph);
  ASSERT_TRUE(cuts.ok()) << cuts.status();
  const int last = static_cast<int>(cuts->cuts.size()) - 1;
  const auto chain = Chain::Create(graph, *cuts, {0, last}, {});
  ASSERT_TRUE(chain.ok()) << chain.status();
  const auto inputs = RandomInputs(*graph, FixedBatch(*graph), 1);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  const CancelToken cancel;
  std::thread canceller([&cancel] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    cancel.Cancel();
  });
  const auto result = (*chain)->Run(0, 1, *inputs, cancel);
  canceller.join();
  EXPECT_EQ(result.status().code(), absl::StatusCode::kCancelled) << result.status();
  EXPECT_TRUE((*chain)->Run(0, 0, *inputs).ok());
}

TEST(ChainTest, ProgressCountsSegments) {
  const auto graph = ParseBytes(PoolModel());
  const auto cuts = EnumerateCuts(*graph);
  std::vector<std::pair<int, int>> seen;
  const auto chain = Chain::Create(graph, *cuts, AllCuts(*cuts), {},
                                   [&](int done, int total) { seen.emplace_back(done, total); });
  ASSERT_TRUE(chain.ok()) << chain.status();
  const int total = (*chain)->segments();
  ASSERT_EQ(static_cast<int>(seen.size()), total);
  for (int i = 0; i < total; ++i) EXPECT_EQ(seen[i], std::make_pair(i + 1, total));
}

TEST(WholeModelTest, NamesAFileThatIsNoModel) {
  const cleave::testing::TempDir folder;
  const std::string path = folder.Write("model.onnx", PoolModel());
  const auto graph = Graph::Load(path);
  ASSERT_TRUE(graph.ok()) << graph.status();
  folder.Write("model.onnx", "no model at all");
  const auto whole = WholeModel::Create(**graph, {});
  ASSERT_FALSE(whole.ok());
  EXPECT_THAT(std::string(whole.status().message()), HasSubstr(path));
}

}  // namespace
}  // namespace cleave
