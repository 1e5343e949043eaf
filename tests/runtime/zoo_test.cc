// For every cut of real architectures, exported small, head and tail together equal the whole
// model.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/chain.h"

namespace cleave {
namespace {

class ZooTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::string Path() const { return absl::StrCat(CLEAVE_ZOO_DIR, "/", GetParam(), ".onnx"); }
};

void ExpectClose(const Tensor& expected, const Tensor& found, int cut) {
  ASSERT_EQ(expected.dtype(), found.dtype()) << "cut " << cut;
  ASSERT_EQ(expected.shape(), found.shape()) << "cut " << cut;
  if (expected.bytes() == found.bytes()) return;
  float scale = 0;
  for (const float value : expected.floats()) scale = std::max(scale, std::abs(value));
  for (std::int64_t i = 0; i < expected.elements(); ++i) {
    ASSERT_LE(std::abs(expected.floats()[i] - found.floats()[i]), 1e-4F * scale)
        << "cut " << cut << ", element " << i;
  }
}

TEST_P(ZooTest, HeadThenTailIsWholeAtEveryCut) {
  const auto graph = Graph::Load(Path());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const std::int64_t batch = 2;
  const auto table = BuildCutTable(**graph, batch);
  ASSERT_TRUE(table.ok()) << table.status();
  CutList cuts{.order = table->order, .cuts = {}};
  std::vector<int> boundaries;
  for (const CutInfo& info : table->cuts) {
    boundaries.push_back(info.cut.index);
    cuts.cuts.push_back(info.cut);
  }
  const auto chain = Chain::Create(*graph, cuts, boundaries, {});
  ASSERT_TRUE(chain.ok()) << chain.status();
  const auto whole = WholeModel::Create(**graph, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto inputs = RandomInputs(**graph, batch, 3);
  ASSERT_TRUE(inputs.ok()) << inputs.status();
  const auto expected = (*whole)->Run(*inputs);
  ASSERT_TRUE(expected.ok()) << expected.status();

  // The head grows cut by cut. If there are many cuts, tails start at some of them only.
  const int last = (*chain)->segments();
  const int stride = 1 + last / 200;
  std::vector<NamedTensor> tensors = *inputs;
  for (int at = 0; at <= last; ++at) {
    if (at > 0) {
      auto head = (*chain)->Run(at - 1, at, tensors);
      ASSERT_TRUE(head.ok()) << head.status();
      tensors = std::move(head->tensors);
    }
    ASSERT_EQ(tensors.size(), table->cuts[at].tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      EXPECT_EQ(tensors[i].name, table->cuts[at].tensors[i].name);
      EXPECT_EQ(tensors[i].tensor.shape(), table->cuts[at].tensors[i].shape) << "cut " << at;
    }
    if (at % stride != 0) continue;
    const auto tail = (*chain)->Run(at, last, tensors);
    ASSERT_TRUE(tail.ok()) << tail.status();
    ASSERT_EQ(tail->tensors.size(), expected->size());
    for (std::size_t i = 0; i < expected->size(); ++i) {
      ExpectClose((*expected)[i].tensor, tail->tensors[i].tensor, at);
    }
  }
}

TEST_P(ZooTest, FrontierChainEqualsWhole) {
  const auto graph = Graph::Load(Path());
  ASSERT_TRUE(graph.ok()) << graph.status();
  const auto table = BuildCutTable(**graph, 1);
  ASSERT_TRUE(table.ok()) << table.status();
  CutList cuts{.order = table->order, .cuts = {}};
  for (const CutInfo& info : table->cuts) cuts.cuts.push_back(info.cut);
  const auto chain = Chain::Create(*graph, cuts, SelectCandidates(*table, {}), {.threads = 2});
  ASSERT_TRUE(chain.ok()) << chain.status();
  const auto whole = WholeModel::Create(**graph, {});
  const auto inputs = RandomInputs(**graph, 1, 4);
  const auto expected = (*whole)->Run(*inputs);
  const auto found = (*chain)->Run(0, (*chain)->segments(), *inputs);
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->tensors.size(), expected->size());
  ExpectClose((*expected)[0].tensor, found->tensors[0].tensor, -1);
}

INSTANTIATE_TEST_SUITE_P(Architectures, ZooTest, ::testing::Values(CLEAVE_ZOO_MODELS),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace cleave
