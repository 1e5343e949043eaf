#include "model/cuts.h"

#include <algorithm>
#include <set>
#include <utility>

namespace cleave {
namespace {

// The part of the graph that leads from the inputs to the outputs.
struct Flow {
  const Graph& graph;
  std::vector<bool> live;                   // By node: it is not constant, and an output needs it.
  std::vector<std::vector<int>> consumers;  // By tensor: the live nodes that read it.
  std::vector<int> producer;                // By tensor: the live node that makes it, or -1.
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

// The dominator tree of the live graph. Its vertices are a source, every tensor and every node; the
// source feeds the model's inputs and the nodes without inputs. A tensor is a cut by itself exactly
// if it dominates all that descends from it, that is, no edge leaves its subtree. The time is
// linear but for a logarithm, so that neither long nor hostile graphs take long.
class Dominators {
 public:
  explicit Dominators(const Flow& flow)
      : flow_(flow),
        tensors_(static_cast<int>(flow.producer.size())),
        parent_(1 + flow.producer.size() + flow.live.size(), 0),
        jump_(parent_.size(), 0),
        depth_(parent_.size(), 0),
        escapes_(parent_.size(), 0) {
    for (const int input : flow.graph.input_ids()) Attach(OfTensor(input), kSource);
    for (int node = 0; node < static_cast<int>(flow.live.size()); ++node) {
      if (!flow.live[node]) continue;
      const auto& inputs = flow.graph.nodes()[node].inputs;
      int above = inputs.empty() ? kSource : OfTensor(inputs.front());
      for (const int input : inputs) above = CommonAncestor(above, OfTensor(input));
      Attach(OfNode(node), above);
      for (const int input : inputs) {
        ++escapes_[OfTensor(input)];
        --escapes_[above];
      }
      for (const int output : flow.graph.nodes()[node].outputs) {
        Attach(OfTensor(output), OfNode(node));
      }
    }
    for (auto vertex = order_.rbegin(); vertex != order_.rend(); ++vertex) {
      escapes_[parent_[*vertex]] += escapes_[*vertex];
    }
  }

  // Returns the single-tensor cuts, each inside the tail of the one before: all of them if the
  // graph has one output, else the longest such chain. An input that is a cut by itself is cut 0
  // and thus left out.
  std::vector<int> LongestChain() const {
    std::vector<int> length(parent_.size(), 0);
    int last = kSource;
    for (const int vertex : order_) {
      length[vertex] = length[parent_[vertex]] + (IsCut(vertex) ? 1 : 0);
      if (length[vertex] > length[last]) last = vertex;
    }
    std::vector<int> chain;
    for (int vertex = last; vertex != kSource; vertex = parent_[vertex]) {
      if (IsCut(vertex)) chain.push_back(vertex - 1);
    }
    std::reverse(chain.begin(), chain.end());
    return chain;
  }

  // Returns, by node, how many tensors of `chain` it descends from.
  std::vector<int> Regions(const std::vector<int>& chain) const {
    std::vector<int> region(parent_.size(), 0);
    std::vector<bool> cut(parent_.size(), false);
    for (const int tensor : chain) cut[OfTensor(tensor)] = true;
    for (const int vertex : order_) {
      region[vertex] = region[parent_[vertex]] + (cut[parent_[vertex]] ? 1 : 0);
    }
    return {region.begin() + 1 + tensors_, region.end()};
  }

 private:
  static constexpr int kSource = 0;

  static int OfTensor(int tensor) { return 1 + tensor; }
  int OfNode(int node) const { return 1 + tensors_ + node; }

  bool IsCut(int vertex) const {
    const int tensor = vertex - 1;
    return tensor < tensors_ && flow_.producer[tensor] >= 0 && !flow_.consumers[tensor].empty() &&
           escapes_[vertex] == 0;
  }

  void Attach(int vertex, int parent) {
    parent_[vertex] = parent;
    depth_[vertex] = depth_[parent] + 1;
    // Jump pointers of growing length (Myers) make the search for ancestors logarithmic.
    const int jump = jump_[parent];
    const bool even = depth_[parent] - depth_[jump] == depth_[jump] - depth_[jump_[jump]];
    jump_[vertex] = even ? jump_[jump] : parent;
    order_.push_back(vertex);
  }

  int CommonAncestor(int a, int b) const {
    if (depth_[a] < depth_[b]) std::swap(a, b);
    while (depth_[a] > depth_[b]) a = depth_[jump_[a]] >= depth_[b] ? jump_[a] : parent_[a];
    while (a != b) {
      const bool leap = jump_[a] != jump_[b];
      a = leap ? jump_[a] : parent_[a];
      b = leap ? jump_[b] : parent_[b];
    }
    return a;
  }

  const Flow& flow_;
  int tensors_;
  std::vector<int> parent_;
  std::vector<int> jump_;
  std::vector<int> depth_;
  std::vector<int> escapes_;  // Edges that leave the subtree, once they are summed up.
  std::vector<int> order_;    // All vertices but the source, parents first.
};

// Orders the nodes of one region so that few tensors are alive at each step.
class RegionOrder {
 public:
  explicit RegionOrder(const Flow& flow) : flow_(flow), uses_(flow.consumers.size()) {
    for (std::size_t i = 0; i < uses_.size(); ++i) {
      uses_[i] = static_cast<int>(flow.consumers[i].size());
    }
  }

  // Appends `region` (ascending node indices) to `order`. REQUIRES: `order` holds all nodes before
  // the region.
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

  // Returns how many tensors become alive, less those that die, when this node runs.
  int Growth(int node) const {
    int growth = 0;
    for (const int output : flow_.graph.nodes()[node].outputs) {
      growth += flow_.consumers[output].empty() ? 0 : 1;
    }
    for (const int input : flow_.graph.nodes()[node].inputs) growth -= uses_[input] == 1 ? 1 : 0;
    return growth;
  }

  const Flow& flow_;
  std::vector<int> uses_;  // By tensor: the consumers that have not run.
};

// The live set as it moves along an order: the tensors that the nodes after the prefix need from
// the prefix, in order of first use.
class LiveSweep {
 public:
  LiveSweep(const Flow& flow, const std::vector<int>& order) : flow_(flow), order_(order) {
    uses_.resize(flow.producer.size());
    for (int position = static_cast<int>(order.size()) - 1; position >= 0; --position) {
      const auto& inputs = flow.graph.nodes()[order[position]].inputs;
      for (int operand = static_cast<int>(inputs.size()) - 1; operand >= 0; --operand) {
        uses_[inputs[operand]].push_back({position, operand, inputs[operand]});
      }
    }
    for (const int input : flow.graph.input_ids()) Keep(input);
  }

  void AdvanceTo(int prefix) {
    for (; prefix_ < prefix; ++prefix_) {
      const GraphNode& node = flow_.graph.nodes()[order_[prefix_]];
      for (const int input : node.inputs) {
        live_.erase(uses_[input].back());
        uses_[input].pop_back();
        Keep(input);
      }
      for (const int output : node.outputs) Keep(output);
    }
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Use& use : live_) names.push_back(flow_.graph.tensor_names()[use.tensor]);
    return names;
  }

 private:
  struct Use {
    int position = 0;
    int operand = 0;
    int tensor = 0;
    auto operator<=>(const Use&) const = default;  // NOLINT(modernize-use-nullptr): a false alarm.
  };

  void Keep(int tensor) {
    if (!uses_[tensor].empty()) live_.insert(uses_[tensor].back());
  }

  const Flow& flow_;
  const std::vector<int>& order_;
  // By tensor: the uses that are still to come, the next one last.
  std::vector<std::vector<Use>> uses_;
  std::set<Use> live_;
  int prefix_ = 0;
};

}  // namespace

absl::StatusOr<CutList> EnumerateCuts(const Graph& graph, const CutOptions& options) {
  const Flow flow(graph);
  const Dominators dominators(flow);
  const std::vector<int> singles = dominators.LongestChain();

  // Region i lies between single cut i-1 and single cut i.
  const std::vector<int> region_of = dominators.Regions(singles);
  std::vector<std::vector<int>> regions(singles.size() + 1);
  for (int node = 0; node < static_cast<int>(flow.live.size()); ++node) {
    if (flow.live[node]) regions[region_of[node]].push_back(node);
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
  LiveSweep sweep(flow, list.order);
  add(sweep.Names(), 0);
  int begin = 0;
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const int end = region_end[i];
    if (end - begin > options.multi_tensor_min_share * flow.live_nodes) {
      for (int prefix = begin + 1; prefix < end; ++prefix) {
        sweep.AdvanceTo(prefix);
        add(sweep.Names(), prefix);
      }
    }
    if (i < singles.size()) add({graph.tensor_names()[singles[i]]}, end);
    begin = end;
  }
  std::vector<std::string> outputs;
  for (const TensorSpec& output : graph.outputs()) outputs.push_back(output.name);
  list.cuts.push_back({static_cast<int>(list.cuts.size()), std::move(outputs),
                       static_cast<int>(list.order.size())});
  return list;
}

}  // namespace cleave
