#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"
#include "model/graph.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

// Returns a model like `source` in all but its graph.
onnx::ModelProto EmptyLike(const onnx::ModelProto& source) {
  onnx::ModelProto model;
  model.set_ir_version(source.ir_version());
  model.set_producer_name("cleave");
  *model.mutable_opset_import() = source.opset_import();
  *model.mutable_functions() = source.functions();
  model.mutable_graph()->set_name(source.graph().name());
  return model;
}

}  // namespace

absl::StatusOr<onnx::ModelProto> Graph::Impl::Reload() const {
  if (part_of != nullptr) return part_of->impl_->Reload();
  if (path.empty()) return ParseModel(bytes, name);
  CLEAVE_ASSIGN_OR_RETURN(const std::string file, ReadFile(path));
  CLEAVE_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(file, path));
  if (model.graph().node_size() != static_cast<int>(nodes.size())) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": has changed since it was loaded: found ", model.graph().node_size(),
                     " nodes, expected ", nodes.size()));
  }
  return model;
}

absl::StatusOr<std::shared_ptr<const onnx::ModelProto>> Graph::Impl::Loaded() const {
  if (part_of != nullptr) return part_of->impl_->Loaded();
  const absl::MutexLock lock(&loaded_mutex);
  if (auto held = loaded.lock()) return held;
  CLEAVE_ASSIGN_OR_RETURN(onnx::ModelProto model, Reload());
  const auto shared = std::make_shared<const onnx::ModelProto>(std::move(model));
  loaded = shared;
  return shared;
}

absl::StatusOr<std::shared_ptr<const void>> Graph::KeepLoaded() const { return impl_->Loaded(); }

absl::StatusOr<onnx::ValueInfoProto> Graph::Impl::DeclareInput(
    const std::string& tensor, const std::map<std::string, TensorType>& types) const {
  const auto file = declared.find(tensor);
  const bool is_input = std::any_of(inputs.begin(), inputs.end(),
                                    [&](const TensorSpec& input) { return input.name == tensor; });
  const auto type = types.find(tensor);
  if (file != declared.end() && (is_input || type == types.end())) return file->second;
  if (type == types.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path.empty() ? name : path, ": tensor '", tensor,
                     "' has no type that can travel, so the model cannot be cut there"));
  }
  onnx::ValueInfoProto info;
  info.set_name(tensor);
  auto* tensor_type = info.mutable_type()->mutable_tensor_type();
  tensor_type->set_elem_type(ToOnnxElementType(type->second.dtype));
  tensor_type->mutable_shape();
  for (std::size_t i = 0; i < type->second.shape.size(); ++i) {
    auto* dim = tensor_type->mutable_shape()->add_dim();
    if (type->second.shape[i] >= 0) {
      dim->set_dim_value(type->second.shape[i]);
    } else if (i < type->second.symbols.size() && !type->second.symbols[i].empty()) {
      dim->set_dim_param(type->second.symbols[i]);
    } else {
      // Fusions need to see that two tensors have the same dimension, whether its size is known or
      // not.
      dim->set_dim_param(absl::StrCat(tensor, "_", i));
    }
  }
  return info;
}

absl::StatusOr<std::string> Graph::ExtractModel(
    const std::vector<int>& node_indices, const std::vector<std::string>& inputs,
    const std::vector<std::string>& outputs, const std::map<std::string, TensorType>& types) const {
  if (node_indices.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(origin(), ": a segment without nodes"));
  }
  std::set<std::string> available(inputs.begin(), inputs.end());
  for (const int index : node_indices) {
    for (const int id : impl_->nodes[index].outputs) available.insert(impl_->tensor_names[id]);
  }
  for (const std::string& output : outputs) {
    if (!available.contains(output)) {
      return absl::InvalidArgumentError(
          absl::StrCat(origin(), ": output '", output, "' is not produced by the segment"));
    }
  }

  // These are the nodes asked for, plus the constants that they need, all the way back.
  std::set<int> kept(node_indices.begin(), node_indices.end());
  std::set<std::string> weights;
  std::vector<int> pending = node_indices;
  while (!pending.empty()) {
    const int index = pending.back();
    pending.pop_back();
    for (const std::string& tensor : impl_->node_inputs[index]) {
      if (impl_->initializers.contains(tensor)) {
        weights.insert(tensor);
      } else if (const auto constant = impl_->constant_producer.find(tensor);
                 constant != impl_->constant_producer.end()) {
        if (kept.insert(constant->second).second) pending.push_back(constant->second);
      } else if (!available.contains(tensor)) {
        return absl::InvalidArgumentError(absl::StrCat(origin(), ": the segment needs '", tensor,
                                                       "', which is not among its inputs"));
      }
    }
  }

  CLEAVE_ASSIGN_OR_RETURN(auto source, impl_->Loaded());
  onnx::ModelProto model = EmptyLike(*source);
  onnx::GraphProto& graph = *model.mutable_graph();
  for (const int index : kept) {
    *graph.add_node() = source->graph().node(impl_->proto_index[index]);
  }
  for (const onnx::TensorProto& tensor : source->graph().initializer()) {
    if (weights.contains(tensor.name())) *graph.add_initializer() = tensor;
  }
  for (const onnx::SparseTensorProto& tensor : source->graph().sparse_initializer()) {
    if (weights.contains(tensor.values().name())) *graph.add_sparse_initializer() = tensor;
  }
  for (const std::string& input : inputs) {
    CLEAVE_ASSIGN_OR_RETURN(*graph.add_input(), impl_->DeclareInput(input, types));
  }
  for (const std::string& output : outputs) graph.add_output()->set_name(output);
  ShareBlockedInputs(graph);
  source.reset();
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return absl::InternalError(absl::StrCat(origin(), ": a segment of more than 2 GiB"));
  }
  return bytes;
}

absl::StatusOr<std::string> Graph::InstrumentedModel(
    const std::vector<std::string>& extra_outputs) const {
  CLEAVE_ASSIGN_OR_RETURN(onnx::ModelProto source, impl_->Reload());
  onnx::ModelProto model = EmptyLike(source);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.Swap(source.mutable_graph());
  onnx::GraphProto sorted;
  for (std::size_t i = 0; i < impl_->proto_index.size(); ++i) {
    onnx::NodeProto* node = sorted.add_node();
    node->Swap(graph.mutable_node(impl_->proto_index[i]));
    node->set_name(absl::StrCat("cleave_node_", i));
  }
  graph.mutable_node()->Swap(sorted.mutable_node());
  if (is_part()) impl_->Prune(graph);
  if (!is_part() && !outputs_are_the_files()) impl_->Prune(graph);
  std::vector<std::string> wanted = extra_outputs;
  for (const TensorSpec& output : impl_->outputs) wanted.push_back(output.name);
  for (const std::string& tensor : wanted) {
    const bool present =
        std::any_of(graph.output().begin(), graph.output().end(),
                    [&](const onnx::ValueInfoProto& output) { return output.name() == tensor; });
    if (present) continue;
    graph.add_output()->set_name(tensor);
  }
  std::string bytes;
  if (!model.SerializeToString(&bytes)) {
    return absl::InternalError(absl::StrCat(impl_->name, ": a model of more than 2 GiB"));
  }
  return bytes;
}

std::int64_t Graph::NodeMacs(int index, const std::map<std::string, Shape>& shapes) const {
  const GraphNode& node = impl_->nodes[index];
  const std::vector<std::string>& inputs = impl_->operands[index];
  if (node.outputs.empty()) return 0;
  const auto shape_of = [&](const std::string& name) -> const Shape* {
    if (const auto found = shapes.find(name); found != shapes.end()) return &found->second;
    const auto weight = impl_->initializer_shapes.find(name);
    return weight == impl_->initializer_shapes.end() ? nullptr : &weight->second;
  };
  const auto elements = [](const Shape& shape) { return ElementCount(shape).value_or(0); };

  const std::string& op = node.op_type;
  const bool quantized = op == "QLinearConv" || op == "QLinearMatMul";
  const std::size_t weight_at = quantized ? 3 : 1;
  if (inputs.size() <= weight_at) return 0;
  const Shape* data = shape_of(inputs[0]);
  const Shape* weight = shape_of(inputs[weight_at]);
  const Shape* result = shape_of(impl_->tensor_names[node.outputs.front()]);
  if (data == nullptr || weight == nullptr || result == nullptr || weight->empty()) return 0;

  if (op == "Conv" || op == "QLinearConv" || op == "ConvInteger") {
    return weight->front() == 0 ? 0 : elements(*result) * (elements(*weight) / weight->front());
  }
  if (op == "ConvTranspose") {
    return weight->front() == 0 ? 0 : elements(*data) * (elements(*weight) / weight->front());
  }
  if (op == "Gemm") {
    const std::int64_t columns = result->empty() ? 1 : result->back();
    return columns == 0 ? 0 : elements(*result) * (elements(*weight) / columns);
  }
  if (op == "MatMul" || op == "MatMulInteger" || op == "QLinearMatMul") {
    return data->empty() ? 0 : elements(*result) * data->back();
  }
  return 0;
}

}  // namespace cleave
