#include "learn/torch_graph.h"

#include <torch/utils.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "learn/torch_operators.h"
#include "model/graph.h"
#include "runtime/chain.h"
#include "runtime/options.h"

namespace cleave {
namespace {

std::optional<torch::ScalarType> ScalarTypeOf(DataType dtype) {
  switch (dtype) {
    case DataType::kFloat32:
      return torch::kFloat32;
    case DataType::kFloat16:
      return torch::kFloat16;
    case DataType::kBFloat16:
      return torch::kBFloat16;
    case DataType::kFloat64:
      return torch::kFloat64;
    case DataType::kInt8:
      return torch::kInt8;
    case DataType::kInt16:
      return torch::kInt16;
    case DataType::kInt32:
      return torch::kInt32;
    case DataType::kInt64:
      return torch::kInt64;
    case DataType::kUint8:
      return torch::kUInt8;
    case DataType::kBool:
      return torch::kBool;
    default:
      return std::nullopt;
  }
}

}  // namespace

torch::Tensor ToTorch(const Tensor& tensor) {
  const auto type = ScalarTypeOf(tensor.dtype());
  TORCH_CHECK(type.has_value(), "a tensor of ", std::string(DataTypeName(tensor.dtype())));
  torch::Tensor copy = torch::empty(tensor.shape(), *type);
  if (tensor.size_bytes() > 0) std::memcpy(copy.data_ptr(), tensor.data(), tensor.size_bytes());
  return copy;
}

Tensor FromTorch(const torch::Tensor& tensor) {
  const torch::Tensor dense = tensor.detach().to(torch::kFloat32).contiguous();
  std::vector<float> values(dense.data_ptr<float>(), dense.data_ptr<float>() + dense.numel());
  return *Tensor::FromFloats(dense.sizes().vec(), std::move(values));
}

TorchGraph::TorchGraph(OperatorGraph graph, std::string origin)
    : graph_(std::move(graph)), origin_(std::move(origin)) {}

absl::StatusOr<TorchGraph> TorchGraph::Create(OperatorGraph graph, const std::string& origin) {
  for (const Operator& node : graph.operators) {
    if (node.domain.empty() && AllTorchOperators().contains(node.type)) continue;
    return FieldError(origin, node.What(),
                      "an operator that gradients can pass "
                      "(docs/bottleneck.md lists them)");
  }
  TorchGraph made(std::move(graph), origin);
  CLEAVE_RETURN_IF_ERROR(made.FoldConstants());
  return made;
}

absl::Status TorchGraph::FoldConstants() {
  const torch::NoGradGuard no_grad;
  for (auto& [name, tensor] : graph_.constants) {
    if (!ScalarTypeOf(tensor.dtype())) {
      return FieldError(absl::StrCat(origin_, ": weights '", name, "'"),
                        DataTypeName(tensor.dtype()), "a type that LibTorch has");
    }
    constants_[name] = ToTorch(tensor);
  }
  graph_.constants.clear();
  std::vector<Operator> others;
  for (Operator& node : graph_.operators) {
    const bool constant = std::all_of(
        node.inputs.begin(), node.inputs.end(),
        [&](const std::string& input) { return input.empty() || constants_.contains(input); });
    if (constant) {
      CLEAVE_RETURN_IF_ERROR(RunNode(node, constants_));
    } else {
      others.push_back(std::move(node));
    }
  }
  graph_.operators = std::move(others);
  return absl::OkStatus();
}

absl::Status TorchGraph::RunNode(const Operator& node, Values& values) const {
  const std::string what = absl::StrCat(origin_, ": ", node.What());
  OperatorCall call{node, graph_.opset, {}};
  for (const std::string& input : node.inputs) {
    if (input.empty()) {
      call.inputs.emplace_back();
      continue;
    }
    const auto found = values.find(input);
    const auto constant = constants_.find(input);
    if (found == values.end() && constant == constants_.end()) {
      return FieldError(what, absl::StrCat("no tensor '", input, "'"), "one before it");
    }
    call.inputs.push_back(found == values.end() ? constant->second : found->second);
  }
  try {
    const std::vector<torch::Tensor> outputs = AllTorchOperators().find(node.type)->second(call);
    for (std::size_t i = 0; i < std::min(outputs.size(), node.outputs.size()); ++i) {
      values[node.outputs[i]] = outputs[i];
    }
  } catch (const c10::Error& error) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": ", error.what()));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<torch::Tensor>> TorchGraph::Run(
    const Values& inputs, const std::vector<std::string>& wanted) const {
  Values values = inputs;
  for (const Operator& node : graph_.operators) CLEAVE_RETURN_IF_ERROR(RunNode(node, values));
  std::vector<torch::Tensor> found;
  for (const std::string& name : wanted) {
    const auto value = values.find(name);
    const auto constant = constants_.find(name);
    if (value == values.end() && constant == constants_.end()) {
      return FieldError(origin_, absl::StrCat("no tensor '", name, "'"), "one of the graph's");
    }
    found.push_back(value == values.end() ? constant->second : value->second);
  }
  return found;
}

std::vector<std::string> TorchGraph::Computed() const {
  std::vector<std::string> computed;
  for (const Operator& node : graph_.operators) {
    // What else an operator may give (a mask, statistics) is not computed.
    const std::size_t count = node.type == "Split" ? node.outputs.size() : 1;
    for (std::size_t i = 0; i < std::min(count, node.outputs.size()); ++i) {
      if (!node.outputs[i].empty()) computed.push_back(node.outputs[i]);
    }
  }
  return computed;
}

absl::StatusOr<std::vector<NodeError>> CompareWithRuntime(const std::string& bytes,
                                                          const std::string& folder,
                                                          const std::vector<NamedTensor>& inputs) {
  const std::string origin = "the model to compare";
  CLEAVE_ASSIGN_OR_RETURN(OperatorGraph read, ReadOperators(bytes, folder, origin));
  CLEAVE_ASSIGN_OR_RETURN(const TorchGraph graph, TorchGraph::Create(std::move(read), origin));
  TorchGraph::Values values;
  for (const NamedTensor& input : inputs) values[input.name] = ToTorch(input.tensor);
  const torch::NoGradGuard no_grad;
  const std::vector<std::string> names = graph.Computed();
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<torch::Tensor> found, graph.Run(values, names));
  std::vector<std::string> floats;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (found[i].scalar_type() == torch::kFloat32) floats.push_back(names[i]);
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::string watched, WithOutputs(bytes, floats, origin));
  CLEAVE_ASSIGN_OR_RETURN(const auto model, Graph::FromBytes(watched, origin));
  CLEAVE_ASSIGN_OR_RETURN(const auto runtime, WholeModel::Create(*model, RuntimeOptions()));
  CLEAVE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> expected, runtime->Run(inputs));
  std::vector<NodeError> errors;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Tensor* right = FindTensor(expected, names[i]);
    if (right == nullptr) continue;
    if (!found[i].sizes().equals(right->shape())) {
      return absl::InternalError(absl::StrCat("tensor '", names[i], "': LibTorch gives ",
                                              ShapeString(found[i].sizes().vec()),
                                              ", ONNX Runtime ", ShapeString(right->shape())));
    }
    if (right->elements() == 0) continue;
    const torch::Tensor reference = ToTorch(*right);
    const double largest = std::max(1e-6, reference.abs().max().item<double>());
    const double difference = (found[i] - reference).abs().max().item<double>();
    errors.push_back({names[i], difference / largest});
  }
  return errors;
}

}  // namespace cleave
