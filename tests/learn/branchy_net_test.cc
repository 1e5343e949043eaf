#include "learn/branchy_net.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model/graph.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

using ::testing::ElementsAre;

// Gives batch norm something to fold, as training would.
void Disturb(const BranchyNet& net) {
  const torch::NoGradGuard no_grad;
  at::Generator generator = at::detail::createCPUGenerator(7);
  const auto uniform = [&](const torch::Tensor& like, double low, double high) {
    return at::rand(like.sizes(), generator, at::kFloat) * (high - low) + low;
  };
  for (const auto& [name, tensor] : net.parameters()) {
    if (name.ends_with(".weight")) continue;
    torch::Tensor(tensor).copy_(uniform(tensor, name.ends_with(".scale") ? 0.5 : -0.5, 1.5));
  }
  for (const auto& [name, tensor] : net.statistics()) {
    torch::Tensor(tensor).copy_(uniform(tensor, name.ends_with(".variance") ? 0.2 : -0.5, 2));
  }
}

std::shared_ptr<const Graph> Exported(const BranchyNet& net) {
  GraphWriter writer("net");
  net.Write(writer);
  const auto bytes = writer.Serialize();
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  const auto graph = Graph::FromBytes(*bytes, "net.onnx");
  EXPECT_TRUE(graph.ok()) << graph.status();
  return *graph;
}

TEST(BranchyNetTest, TheExportedFileSaysWhatTheNetworkSays) {
  for (const int exits : {5, 2}) {
    BranchyNet net(AlexNetPlan(exits, 10), 3);
    Disturb(net);
    const auto graph = Exported(net);
    const auto whole = WholeModel::Create(*graph, {});
    ASSERT_TRUE(whole.ok()) << whole.status();
    for (const std::int64_t batch : {1, 5}) {
      const auto inputs = RandomInputs(*graph, batch, 11);
      ASSERT_TRUE(inputs.ok()) << inputs.status();
      const auto found = (*whole)->Run(*inputs);
      ASSERT_TRUE(found.ok()) << found.status();
      ASSERT_EQ(found->size(), static_cast<std::size_t>(exits));

      const torch::NoGradGuard no_grad;
      const std::span<const float> values = (*inputs)[0].tensor.floats();
      const torch::Tensor images =
          torch::tensor(at::ArrayRef<float>(values.data(), values.size())).view({batch, 3, 32, 32});
      const std::vector<torch::Tensor> expected = net.Forward(images, BranchyNet::Mode::kInference);
      for (int exit = 0; exit < exits; ++exit) {
        const torch::Tensor logits = expected[exit].contiguous();
        EXPECT_EQ(ShapeString((*found)[exit].tensor.shape()),
                  ShapeString({logits.size(0), logits.size(1)}));
        EXPECT_GT(logits.std().item<double>(), 0.1);  // A comparison of zeros would prove nothing.
        for (std::int64_t i = 0; i < logits.numel(); ++i) {
          ASSERT_NEAR((*found)[exit].tensor.floats()[i], logits.data_ptr<float>()[i], 1e-4)
              << "exit " << exit + 1 << " of " << exits << ", batch " << batch;
        }
      }
    }
  }
}

TEST(BranchyNetTest, TheExportedGraphHoldsNoBatchNorm) {
  const auto graph = Exported(BranchyNet(AlexNetPlan(5, 10), 1));
  for (const GraphNode& node : graph->nodes()) {
    EXPECT_THAT(node.op_type, ::testing::AnyOf("Conv", "Relu", "MaxPool", "GlobalAveragePool",
                                               "Flatten", "Gemm"));
  }
}

TEST(BranchyNetTest, HasNaturalBottlenecks) {
  const auto graph = Exported(BranchyNet(AlexNetPlan(5, 10), 1));
  const auto table = BuildCutTable(*graph, 1);
  ASSERT_TRUE(table.ok()) << table.status();
  std::vector<std::string> frontier;
  for (const CutInfo& cut : table->cuts) {
    if (cut.frontier && cut.tensors.size() == 1) frontier.push_back(cut.tensors[0].name);
  }
  EXPECT_THAT(frontier, ::testing::IsSupersetOf({"pool2", "pool5"}));
}

TEST(BranchyNetTest, FewerExitsAreTheFirstOnesAndTheLast) {
  EXPECT_THAT(AlexNetPlan(5, 10).ExitNames(),
              ElementsAre("exit1", "exit2", "exit3", "exit4", "exit5"));
  EXPECT_THAT(AlexNetPlan(2, 10).ExitNames(), ElementsAre("exit1", "exit2"));
  EXPECT_THAT(AlexNetPlan(1, 10).ExitNames(), ElementsAre("exit1"));
  const BranchyPlan two = AlexNetPlan(2, 10);
  EXPECT_FALSE(two.stages.front().branch.empty());
  EXPECT_FALSE(two.stages.back().branch.empty());
  EXPECT_TRUE(two.stages[1].branch.empty());
}

TEST(BranchyNetTest, ASeedDecidesTheWeights) {
  const BranchyNet one(AlexNetPlan(5, 10), 1);
  const BranchyNet same(AlexNetPlan(5, 10), 1);
  const BranchyNet other(AlexNetPlan(5, 10), 2);
  for (const auto& [name, tensor] : one.parameters()) {
    EXPECT_TRUE(tensor.equal(same.parameters().at(name))) << name;
    if (name.ends_with(".weight")) {
      EXPECT_FALSE(tensor.equal(other.parameters().at(name))) << name;
    }
  }
}

TEST(BranchyNetTest, ACopyHasMemoryOfItsOwn) {
  const BranchyNet from(AlexNetPlan(5, 10), 1);
  BranchyNet to(AlexNetPlan(5, 10), 2);
  to.CopyFrom(from);
  const torch::NoGradGuard no_grad;
  torch::Tensor(to.parameters().at("conv1.weight")).zero_();
  EXPECT_TRUE(to.parameters().at("conv2.weight").equal(from.parameters().at("conv2.weight")));
  EXPECT_FALSE(from.parameters().at("conv1.weight").equal(to.parameters().at("conv1.weight")));
}

}  // namespace
}  // namespace cleave
