#include "model/random_nodes.h"

#include <algorithm>

namespace cleave {

RandomNodes::RandomNodes(const onnx::ModelProto& model) {
  for (const auto& function : model.functions()) {
    functions_[{function.domain(), function.name()}].push_back(&function);
  }
}

bool RandomNodes::Contains(const onnx::NodeProto& node) {
  const std::string& op = node.op_type();
  if (op.starts_with("Random") || op == "Multinomial" || op == "Bernoulli" || op == "Dropout") {
    return true;
  }
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g() && AnyOf(attribute.g().node())) return true;
    for (const auto& subgraph : attribute.graphs()) {
      if (AnyOf(subgraph.node())) return true;
    }
  }
  return IsRandomFunction({node.domain(), op});
}

bool RandomNodes::AnyOf(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(),
                     [this](const onnx::NodeProto& node) { return Contains(node); });
}

// A name may belong to several functions, which the overloads tell apart; one that is random makes
// them all count as random. A function that calls itself, which ONNX forbids, ends here.
bool RandomNodes::IsRandomFunction(const Name& name) {
  const auto found = functions_.find(name);
  if (found == functions_.end()) return false;
  const auto [known, is_new] = random_.emplace(name, false);
  if (!is_new) return known->second;
  bool random = false;
  for (const onnx::FunctionProto* function : found->second) {
    random = random || AnyOf(function->node());
  }
  random_[name] = random;
  return random;
}

}  // namespace cleave
