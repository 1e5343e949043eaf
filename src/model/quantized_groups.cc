#include "model/quantized_groups.h"

#include <algorithm>
#include <cstddef>

namespace cleave {

std::vector<bool> InsideQuantizedGroups(const Graph& graph) {
  const std::vector<GraphNode>& nodes = graph.nodes();
  const auto any = [](const std::vector<int>& tensors, const std::vector<bool>& of) {
    return std::any_of(tensors.begin(), tensors.end(),
                       [&of](int tensor) { return of[static_cast<std::size_t>(tensor)]; });
  };
  const auto mark = [](const std::vector<int>& tensors, std::vector<bool>& in) {
    for (const int tensor : tensors) in[static_cast<std::size_t>(tensor)] = true;
  };
  std::vector<bool> dequantized(graph.tensor_names().size(), false);
  std::vector<bool> behind(graph.tensor_names().size(), false);  // A DequantizeLinear.
  for (const GraphNode& node : nodes) {
    if (node.constant || node.op_type == "QuantizeLinear") continue;
    if (node.op_type == "DequantizeLinear") mark(node.outputs, dequantized);
    if (node.op_type == "DequantizeLinear" || any(node.inputs, behind)) mark(node.outputs, behind);
  }
  std::vector<bool> before(graph.tensor_names().size(), false);  // A QuantizeLinear.
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    if (node->constant || node->op_type == "DequantizeLinear") continue;
    if (node->op_type == "QuantizeLinear" || any(node->outputs, before)) mark(node->inputs, before);
  }
  std::vector<bool> inside(graph.tensor_names().size(), false);
  for (std::size_t i = 0; i < inside.size(); ++i) {
    inside[i] = dequantized[i] || (behind[i] && before[i]);
  }
  return inside;
}

}  // namespace cleave
