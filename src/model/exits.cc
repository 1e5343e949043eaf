#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/graph.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

// Each exit costs whoever loads the model a chain of sessions.
constexpr std::size_t kMostExits = 64;

absl::Status ExitsError(const std::string& origin, absl::string_view found,
                        absl::string_view expected) {
  return FieldError(absl::StrCat(origin, ": metadata ", kExitsKey), found, expected);
}

// Returns the entry's value, or null if there is none; InvalidArgument if there are two.
absl::StatusOr<const std::string*> FindEntry(const onnx::ModelProto& model,
                                             const std::string& origin) {
  const std::string* value = nullptr;
  for (const onnx::StringStringEntryProto& entry : model.metadata_props()) {
    if (entry.key() != kExitsKey) continue;
    if (value != nullptr) return ExitsError(origin, "the entry twice", "it once");
    value = &entry.value();
  }
  return value;
}

template <typename Messages, typename Keep>
void KeepOnly(Messages& messages, const Keep& keep) {
  Messages kept;
  for (auto& message : messages) {
    if (keep(message)) kept.Add()->Swap(&message);
  }
  messages.Swap(&kept);
}

}  // namespace

absl::Status ReadExits(const onnx::ModelProto& model, const std::string& origin,
                       Graph::Impl& impl) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string* value, FindEntry(model, origin));
  if (value == nullptr) return absl::OkStatus();
  std::set<absl::string_view> outputs;
  for (const TensorSpec& output : impl.outputs) outputs.insert(output.name);
  std::set<absl::string_view> seen;
  for (const absl::string_view name : absl::StrSplit(*value, ',')) {
    const std::string quoted = absl::StrCat("'", name.substr(0, 80), "'");
    if (!outputs.contains(name)) {
      return ExitsError(origin, quoted, "names of the model's outputs");
    }
    if (!seen.insert(name).second) return ExitsError(origin, quoted + " twice", "each name once");
    if (impl.producer[impl.tensor_ids.find(name)->second] < 0) {
      return ExitsError(origin, absl::StrCat("the input ", quoted), "outputs that a node computes");
    }
    if (impl.exits.size() == kMostExits) {
      return ExitsError(origin, absl::StrCat("more than ", kMostExits, " names"), "no more");
    }
    impl.exits.emplace_back(name);
  }
  return absl::OkStatus();
}

std::set<int> Graph::Impl::NodesBehind(const std::string& tensor) const {
  std::set<int> behind;
  std::vector<int> pending;
  const auto add = [&](const std::string& needed) {
    int node = -1;
    if (const auto id = tensor_ids.find(needed); id != tensor_ids.end()) {
      node = producer[id->second];
    } else if (const auto constant = constant_producer.find(needed);
               constant != constant_producer.end()) {
      node = constant->second;
    }
    if (node >= 0 && behind.insert(node).second) pending.push_back(node);
  };
  add(tensor);
  while (!pending.empty()) {
    const int node = pending.back();
    pending.pop_back();
    for (const std::string& input : node_inputs[node]) add(input);
  }
  return behind;
}

std::unique_ptr<Graph::Impl> Graph::Impl::Part(int exit_index) const {
  auto part = std::make_unique<Impl>();
  part->path = path;
  part->folder = folder;
  part->name = name;
  part->digest = digest;
  part->exit = exit_index;
  part->uses_half = uses_half;
  part->left_out = left_out;
  part->inputs = inputs;
  part->input_symbols = input_symbols;
  part->value_hints = value_hints;
  part->metadata = metadata;
  for (std::size_t i = 0; i < outputs.size() && part->outputs.empty(); ++i) {
    if (outputs[i].name != exits[exit_index]) continue;
    part->outputs.push_back(outputs[i]);
    part->output_symbols.push_back(output_symbols[i]);
  }
  part->declared = declared;
  for (const TensorSpec& input : inputs) part->input_ids.push_back(part->TensorId(input.name, -1));
  // By id in this model; constants come before the nodes that need them.
  std::map<int, int> new_ids;
  for (const int old : NodesBehind(exits[exit_index])) {
    const int id = static_cast<int>(part->nodes.size());
    new_ids[old] = id;
    GraphNode node = nodes[old];
    for (int& input : node.inputs) input = part->TensorId(tensor_names[input], -1);
    for (int& output : node.outputs) output = part->TensorId(tensor_names[output], id);
    part->nodes.push_back(std::move(node));
    part->node_inputs.push_back(node_inputs[old]);
    part->operands.push_back(operands[old]);
    part->proto_index.push_back(proto_index[old]);
    for (const std::string& input : node_inputs[old]) {
      if (initializers.contains(input)) part->initializers.insert(input);
      if (const auto shape = initializer_shapes.find(input); shape != initializer_shapes.end()) {
        part->initializer_shapes.insert(*shape);
      }
      if (const auto constant = constant_producer.find(input);
          constant != constant_producer.end()) {
        part->constant_producer.emplace(input, new_ids.at(constant->second));
      }
    }
  }
  part->output_ids.push_back(part->tensor_ids.find(exits[exit_index])->second);
  return part;
}

void Graph::Impl::Prune(onnx::GraphProto& graph) const {
  std::set<absl::string_view> ends;
  for (const TensorSpec& input : inputs) ends.insert(input.name);
  KeepOnly(*graph.mutable_input(), [&](const onnx::ValueInfoProto& input) {
    return ends.contains(input.name()) || initializers.contains(input.name());
  });
  KeepOnly(*graph.mutable_output(), [&](const onnx::ValueInfoProto& output) {
    return std::any_of(outputs.begin(), outputs.end(),
                       [&](const TensorSpec& kept) { return kept.name == output.name(); });
  });
  KeepOnly(*graph.mutable_initializer(),
           [&](const onnx::TensorProto& tensor) { return initializers.contains(tensor.name()); });
  KeepOnly(*graph.mutable_sparse_initializer(), [&](const onnx::SparseTensorProto& tensor) {
    return initializers.contains(tensor.values().name());
  });
  KeepOnly(*graph.mutable_value_info(), [&](const onnx::ValueInfoProto& info) {
    return tensor_ids.contains(info.name()) || IsConstant(info.name());
  });
}

const std::vector<std::string>& Graph::exits() const { return impl_->exits; }
int Graph::exit_count() const {
  return impl_->exits.empty() ? 1 : static_cast<int>(impl_->exits.size());
}
int Graph::exit() const { return impl_->exit; }
bool Graph::is_part() const { return impl_->part_of != nullptr; }

absl::StatusOr<std::shared_ptr<const Graph>> Graph::ForExit(int exit) const {
  if (exit < 0 || exit >= exit_count()) {
    return FieldError(absl::StrCat(origin(), ": exit"), exit,
                      absl::StrCat("0 to ", exit_count() - 1));
  }
  if (impl_->exits.empty()) return shared_from_this();
  std::unique_ptr<Impl> part = impl_->Part(exit);
  part->part_of = shared_from_this();
  return std::shared_ptr<const Graph>(new Graph(std::move(part)));
}

}  // namespace cleave
