#include "model/cuts.h"

#include <algorithm>
#include <set>
#include <utility>

namespace cleave {
namespace {

// The part of the graph that leads from the inputs to the outputs.
struct Flow {
  const Graph& graph;
  std::vector<bool> live;                   // By node: not constant, and an output needs it.
  std::vector<std::vector<int>> consumers;  // By tensor: live nodes.
  std::vector<int> producer;                // By tensor: live node, or -1.
  int live_nodes = 0;

  explicit Flow(const Graph& g)
      : graph(g),
        live(g.nodes().size(), false),
        consumers(g.tensor_names().size()),
        producer(g.tensor_names().size(), -1) {
    const auto& nodes = graph.nodes();
    for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
      for (const int tensor : nodes[i].outputs) producer[tensor] = i;
    }
    std::vector<int> pending = graph.output_ids();
    while (!pending.empty()) {
      const int node = producer[pending.back()];
      pending.pop_back();
      if (node < 0 || live[node]) continue;
      live[node] = true;
      ++live_nodes;
      pending.insert(pending.end(), nodes[node].inputs.begin(), nodes[node].inputs.end());
    }
    for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
      if (!live[i]) continue;
      for (const int tensor : nodes[i].inputs) consumers[tensor].push_back(i);
    }
  }
};

// A tensor that alone parts the graph, with the nodes that descend from it.
struct SingleCut {
  int tensor = 0;
  std::vector<bool> tail;
  int tail_nodes = 0;
};

SingleCut Descend(const Flow& flow, int tensor) {
  SingleCut cut{tensor, std::vector<bool>(flow.live.size(), false), 0};
  std::vector<int> pending = {tensor};
  while (!pending.empty()) {
    const int from = pending.back();
    pending.pop_back();
    for (const int node : flow.consumers[from]) {
      if (cut.tail[node]) continue;
      cut.tail[node] = true;
      ++cut.tail_nodes;
      const auto& outputs = flow.graph.nodes()[node].outputs;
      pending.insert(pending.end(), outputs.begin(), outputs.end());
    }
  }
  return cut;
}

bool NeedsNothingElse(const Flow& flow, const SingleCut& cut) {
  for (std::size_t node = 0; node < cut.tail.size(); ++node) {
    if (!cut.tail[node]) continue;
    for (const int input : flow.graph.nodes()[node].inputs) {
      const int producer = flow.producer[input];
      if (input != cut.tensor && (producer < 0 || !cut.tail[producer])) return false;
    }
  }
  return true;
}

// Single-tensor cuts, each inside the tail of the one before: all of them where the graph has one
// output, else the longest such chain.
std::vector<SingleCut> NestedSingleCuts(const Flow& flow) {
  std::vector<SingleCut> cuts;
  for (std::size_t tensor = 0; tensor < flow.producer.size(); ++tensor) {
    const int producer = flow.producer[tensor];
    // An input that is a cut by itself is cut 0.
    if (producer < 0 || !flow.live[producer] || flow.consumers[tensor].empty()) continue;
    SingleCut cut = Descend(flow, static_cast<int>(tensor));
    if (cut.tail_nodes > 0 && NeedsNothingElse(flow, cut)) cuts.push_back(std::move(cut));
  }
  std::stable_sort(cuts.begin(), cuts.end(), [](const SingleCut& a, const SingleCut& b) {
    return a.tail_nodes > b.tail_nodes;
  });
  const int count = static_cast<int>(cuts.size());
  std::vector<int> length(count, 1);
  std::vector<int> previous(count, -1);
  int best = -1;
  for (int i = 0; i < count; ++i) {
    const int producer = flow.producer[cuts[i].tensor];
    for (int j = 0; j < i; ++j) {
      if (cuts[j].tail[producer] && length[j] + 1 > length[i]) {
        length[i] = length[j] + 1;
        previous[i] = j;
      }
    }
    if (best < 0 || length[i] > length[best]) best = i;
  }
  std::vector<SingleCut> chain;
  for (int i = best; i >= 0; i = previous[i]) chain.push_back(std::move(cuts[i]));
  std::reverse(chain.begin(), chain.end());
  return chain;
}

// Orders the nodes of one region so that few tensors are alive at each step.
class RegionOrder {
 public:
  explicit RegionOrder(const Flow& flow) : flow_(flow), uses_(flow.consumers.size()) {
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      uses_[i] = static_cast<int>(flow.consumers[i].size());
    }
  }

  // Appends `region` (ascending node indices) to `order`. REQUIRES: all before the region is in it.
  void Append(const std::vector<int>& region, std::vector<int>& order) {
    std::set<int> waiting(region.begin(), region.end());
    std::set<int> ready;
    for (const int node : region) {
      if (Ready(node, waiting)) ready.insert(node);
    }
    while (!ready.empty()) {
      const int node = *std::min_element(ready.begin(), ready.end(), [&](int a, int b) {
        const int growth_a = Growth(a);
        const int growth_b = Growth(b);
        return growth_a != growth_b ? growth_a < growth_b : a < b;
      });
      ready.erase(node);
      waiting.erase(node);
      order.push_back(node);
      for (const int input : flow_.graph.nodes()[node].inputs) --uses_[input];
      for (const int output : flow_.graph.nodes()[node].outputs) {
        for (const int consumer : flow_.consumers[output]) {
          if (waiting.contains(consumer) && Ready(consumer, waiting)) ready.insert(consumer);
        }
      }
    }
  }

 private:
  bool Ready(int node, const std::set<int>& waiting) const {
    const auto& inputs = flow_.graph.nodes()[node].inputs;
    return std::none_of(inputs.begin(), inputs.end(), [&](int input) {
      return flow_.producer[input] >= 0 && waiting.contains(flow_.producer[input]);
    });
  }

  // Tensors that become alive less those that die when this node runs.
  int Growth(int node) const {
    int growth = 0;
    for (const int output : flow_.graph.nodes()[node].outputs) {
      growth += flow_.consumers[output].empty() ? 0 : 1;
    }
    for (const int input : flow_.graph.nodes()[node].inputs) growth -= uses_[input] == 1 ? 1 : 0;
    return growth;
  }

  const Flow& flow_;
  std::vector<int> uses_;  // By tensor: consumers that have not run.
};

// The tensors that nodes order[prefix, end) need from before, by first use.
std::vector<std::string> LiveSet(const Flow& flow, const std::vector<int>& order, int prefix) {
  std::set<int> later;
  for (std::size_t i = prefix; i < order.size(); ++i) later.insert(order[i]);
  std::vector<std::string> live;
  std::set<int> seen;
  for (std::size_t i = prefix; i < order.size(); ++i) {
    for (const int input : flow.graph.nodes()[order[i]].inputs) {
      const int producer = flow.producer[input];
      if ((producer < 0 || !later.contains(producer)) && seen.insert(input).second) {
        live.push_back(flow.graph.tensor_names()[input]);
      }
    }
  }
  return live;
}

}  // namespace

absl::StatusOr<CutList> EnumerateCuts(const Graph& graph, const CutOptions& options) {
  const Flow flow(graph);
  const std::vector<SingleCut> singles = NestedSingleCuts(flow);

  // Region i lies between single cut i-1 and single cut i.
  std::vector<std::vector<int>> regions(singles.size() + 1);
  for (int node = 0; node < static_cast<int>(flow.live.size()); ++node) {
    if (!flow.live[node]) continue;
    const auto region = std::partition_point(singles.begin(), singles.end(),
                                             [&](const SingleCut& cut) { return cut.tail[node]; });
    regions[region - singles.begin()].push_back(node);
  }

  CutList list;
  RegionOrder region_order(flow);
  std::vector<int> region_end;
  for (const std::vector<int>& region : regions) {
    region_order.Append(region, list.order);
    region_end.push_back(static_cast<int>(list.order.size()));
  }

  const auto add = [&](std::vector<std::string> tensors, int prefix) {
    if (!list.cuts.empty() && list.cuts.back().tensors == tensors) return;
    list.cuts.push_back({static_cast<int>(list.cuts.size()), std::move(tensors), prefix});
  };
  add(LiveSet(flow, list.order, 0), 0);
  int begin = 0;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const int end = region_end[i];
    if (end - begin > options.multi_tensor_min_share * flow.live_nodes) {
      for (int prefix = begin + 1; prefix < end; ++prefix) {
        add(LiveSet(flow, list.order, prefix), prefix);
      }
    }
    if (i < singles.size()) add({graph.tensor_names()[singles[i].tensor]}, end);
    begin = end;
  }
  std::vector<std::string> outputs;
  for (const TensorSpec& output : graph.outputs()) outputs.push_back(output.name);
  list.cuts.push_back({static_cast<int>(list.cuts.size()), std::move(outputs),
                       static_cast<int>(list.order.size())});
  return list;
}

}  // namespace cleave
