#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "model/cuts.h"
#include "model/quantized_groups.h"

namespace cleave {
namespace {

absl::Status AddTensors(const std::map<std::string, TensorSpec>& tensors, CutInfo& info) {
  for (const std::string& name : info.cut.tensors) {
    const auto found = tensors.find(name);
    if (found == tensors.end()) {
      info.obstacle = absl::StrCat("tensor '", name, "' is of a type that cannot be sent");
      continue;
    }
    CLEAVE_ASSIGN_OR_RETURN(const std::int64_t elements, ElementCount(found->second.shape));
    info.tensors.push_back(found->second);
    info.elements += elements;
    info.bytes += EstimatedBytes(found->second.dtype, found->second.shape);
  }
  return absl::OkStatus();
}

void RefuseQuantizedGroups(const Graph& graph, CutTable& table) {
  const std::vector<bool> inside = InsideQuantizedGroups(graph);
  for (CutInfo& info : table.cuts) {
    if (info.cut.index == 0 || &info == &table.cuts.back()) continue;
    for (const std::string& name : info.cut.tensors) {
      const int tensor = graph.FindTensor(name);
      if (tensor < 0 || !inside[static_cast<std::size_t>(tensor)] || !info.obstacle.empty())
        continue;
      info.obstacle =
          absl::StrCat("tensor '", name, "' lies inside a group of quantized operators");
    }
  }
}

// The bottlenecks are told from the cuts that can be sent.
void Classify(CutTable& table) {
  const std::int64_t input_elements = table.cuts.front().elements;
  double least = 1;
  for (CutInfo& info : table.cuts) {
    info.compression_ratio = input_elements == 0 ? 0
                                                 : static_cast<double>(info.elements) /
                                                       static_cast<double>(input_elements);
    info.natural_bottleneck = info.obstacle.empty() && info.compression_ratio < 1;
    info.frontier = info.natural_bottleneck && info.compression_ratio < least;
    if (info.frontier) least = info.compression_ratio;
  }
}

}  // namespace

int CutTable::natural_bottlenecks() const {
  return static_cast<int>(std::count_if(
      cuts.begin(), cuts.end(), [](const CutInfo& info) { return info.natural_bottleneck; }));
}

int CutTable::frontier() const {
  return static_cast<int>(
      std::count_if(cuts.begin(), cuts.end(), [](const CutInfo& info) { return info.frontier; }));
}

absl::StatusOr<CutTable> MakeCutTable(const Graph& graph, const CutList& cuts,
                                      const ResolvedInputs& inputs,
                                      const std::map<std::string, TensorSpec>& tensors) {
  std::map<std::string, Shape> shapes;
  for (const auto& [name, spec] : tensors) shapes[name] = spec.shape;
  std::vector<std::int64_t> macs_before = {0};
  for (const int node : cuts.order) {
    macs_before.push_back(macs_before.back() + graph.NodeMacs(node, shapes));
  }

  CutTable table{.digest = graph.digest(),
                 .batch = BatchOf(graph, ShapesOf(inputs.specs)),
                 .inputs = inputs,
                 .total_macs = macs_before.back(),
                 .order = cuts.order,
                 .cuts = {},
                 .chosen_by = nullptr};
  for (const Cut& cut : cuts.cuts) {
    CutInfo info;
    info.cut = cut;
    CLEAVE_RETURN_IF_ERROR(AddTensors(tensors, info));
    info.macs_before = macs_before[cut.prefix_nodes];
    table.cuts.push_back(std::move(info));
  }
  for (const CutInfo* end : {&table.cuts.front(), &table.cuts.back()}) {
    if (end->obstacle.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(graph.origin(), ": ", end->obstacle));
  }
  RefuseQuantizedGroups(graph, table);
  Classify(table);
  return table;
}

bool MakesOutput(const Graph& graph, const CutTable& table, int cut) {
  const std::vector<int>& outputs = graph.output_ids();
  const int prefix = table.cuts[static_cast<std::size_t>(cut)].cut.prefix_nodes;
  return std::any_of(table.order.begin(), table.order.begin() + prefix, [&](int node) {
    const std::vector<int>& made = graph.nodes()[static_cast<std::size_t>(node)].outputs;
    return std::any_of(made.begin(), made.end(), [&](int tensor) {
      return std::find(outputs.begin(), outputs.end(), tensor) != outputs.end();
    });
  });
}

std::map<std::string, TensorSpec> TensorsOf(const CutTable& table) {
  std::map<std::string, TensorSpec> tensors;
  for (const CutInfo& info : table.cuts) {
    for (const TensorSpec& spec : info.tensors) tensors[spec.name] = spec;
  }
  return tensors;
}

absl::StatusOr<CandidateSpec> CandidateSpec::Parse(absl::string_view text) {
  if (text == "frontier") return CandidateSpec{Kind::kFrontier, 0};
  if (text == "all") return CandidateSpec{Kind::kAll, 0};
  int count = 0;
  if (absl::SimpleAtoi(text, &count) && count > 0) return CandidateSpec{Kind::kCount, count};
  return absl::InvalidArgumentError(
      absl::StrCat("cuts: found '", text, "', expected frontier, all or a number above 0"));
}

namespace {

// Returns at most `count` frontier cuts, without the output, that lower c most relative to the one
// before.
std::set<int> SteepestFrontier(const CutTable& table, int count) {
  std::vector<std::pair<double, int>> drops;
  double before = 1;
  for (const CutInfo& info : table.cuts) {
    if (!info.frontier || info.cut.index == table.cuts.back().cut.index) continue;
    drops.emplace_back(before / std::max(info.compression_ratio, 1e-12), info.cut.index);
    before = info.compression_ratio;
  }
  std::stable_sort(drops.begin(), drops.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::set<int> chosen;
  for (const auto& [drop, index] : drops) {
    if (static_cast<int>(chosen.size()) < count) chosen.insert(index);
  }
  return chosen;
}

// Returns the cut nearest to the middle of the longest stretch of compute without a chosen cut, or
// -1.
int PartLongestStretch(const CutTable& table, const std::set<int>& chosen) {
  const auto macs = [&](int index) { return table.cuts[index].macs_before; };
  int begin = -1;
  int end = -1;
  for (auto it = chosen.begin(); std::next(it) != chosen.end(); ++it) {
    const int next = *std::next(it);
    if (next - *it > 1 && (begin < 0 || macs(next) - macs(*it) > macs(end) - macs(begin))) {
      begin = *it;
      end = next;
    }
  }
  int best = -1;
  for (int i = begin + 1; begin >= 0 && i < end; ++i) {
    if (!table.cuts[i].obstacle.empty()) continue;
    const std::int64_t middle = (macs(begin) + macs(end)) / 2;
    if (best < 0 || std::abs(macs(i) - middle) < std::abs(macs(best) - middle)) best = i;
  }
  return best;
}

}  // namespace

int SettledCut(const CutTable& any, int cut) {
  const CutTable& table = any.chosen_by ? *any.chosen_by : any;
  const CutInfo& from = table.cuts[cut];
  if (from.tensors.size() != 1) return cut;
  int settled = cut;
  for (int i = cut + 1; i + 1 < static_cast<int>(table.cuts.size()); ++i) {
    const CutInfo& info = table.cuts[i];
    if (info.macs_before > from.macs_before) break;
    const bool alike = info.obstacle.empty() && info.tensors.size() == 1 &&
                       info.tensors.front().shape == from.tensors.front().shape &&
                       info.tensors.front().dtype == from.tensors.front().dtype;
    if (alike) settled = i;
  }
  return settled;
}

std::vector<int> SelectCandidates(const CutTable& any, const CandidateSpec& spec) {
  const CutTable& table = any.chosen_by ? *any.chosen_by : any;
  const int last = static_cast<int>(table.cuts.size()) - 1;
  std::set<int> chosen;
  switch (spec.kind) {
    case CandidateSpec::Kind::kAll:
      for (int i = 0; i <= last; ++i) {
        if (table.cuts[i].obstacle.empty()) chosen.insert(i);
      }
      break;
    case CandidateSpec::Kind::kFrontier:
      for (const CutInfo& info : table.cuts) {
        if (info.frontier) chosen.insert(info.cut.index);
      }
      break;
    case CandidateSpec::Kind::kCount:
      chosen = SteepestFrontier(table, spec.count);
      break;
  }
  chosen.insert(0);
  chosen.insert(last);
  if (spec.kind == CandidateSpec::Kind::kCount) {
    while (static_cast<int>(chosen.size()) < spec.count + 2) {
      const int next = PartLongestStretch(table, chosen);
      if (next < 0) break;
      chosen.insert(next);
    }
  }
  for (int i = 0; i <= last && !spec.tensors.empty(); ++i) {
    const std::vector<std::string>& tensors = table.cuts[i].cut.tensors;
    const bool coded = table.cuts[i].obstacle.empty() && !tensors.empty() &&
                       std::all_of(tensors.begin(), tensors.end(), [&](const std::string& name) {
                         return spec.tensors.contains(name);
                       });
    if (coded) chosen.insert(i);
  }
  // A branch that only these shapes take may hold what cannot be sent.
  std::erase_if(chosen, [&](int cut) { return !any.cuts[cut].obstacle.empty(); });
  return {chosen.begin(), chosen.end()};
}

}  // namespace cleave
