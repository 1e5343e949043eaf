#include "learn/alexnet.h"

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

using Kind = Layer::Kind;

Layer Conv(const std::string& name, std::int64_t out, std::int64_t kernel,
           std::int64_t stride = 1) {
  return {Kind::kConv, name, out, kernel, stride};
}

Layer Pool(const std::string& name) { return {Kind::kMaxPool, name, 0, 2, 2}; }

}  // namespace

std::vector<std::string> BranchyPlan::ExitNames() const {
  std::vector<std::string> names;
  for (const Stage& stage : stages) {
    if (!stage.branch.empty()) names.push_back(stage.branch.back().name);
  }
  return names;
}

BranchyPlan AlexNetPlan(int exits, std::int64_t classes) {
  BranchyPlan plan;
  plan.input = {3, 32, 32};
  plan.stages = {
      {{Conv("conv1", 32, 5), Pool("pool1")}, {Conv("branch1", 32, 3, 2), Pool("branch1_pool")}},
      {{Conv("conv2", 40, 5), Pool("pool2")}, {Conv("branch2", 32, 3), Pool("branch2_pool")}},
      {{Conv("conv3", 128, 3)}, {Pool("branch3_pool")}},
      {{Conv("conv4", 128, 3)}, {Pool("branch4_pool")}},
      {{Conv("conv5", 96, 3), Pool("pool5")}, {{Kind::kHidden, "fc6", 128}}},
  };
  const int stages = static_cast<int>(plan.stages.size());
  int exit = 0;
  for (int i = 0; i < stages; ++i) {
    std::vector<Layer>& branch = plan.stages[i].branch;
    if (i + 1 < exits || i + 1 == stages) {
      branch.push_back({Kind::kLogits, absl::StrCat("exit", ++exit), classes});
    } else {
      branch.clear();
    }
  }
  return plan;
}

}  // namespace cleave
