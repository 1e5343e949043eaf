#include "model/plain_model.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

constexpr auto kOperators = std::to_array<absl::string_view>({
    "Add",       "Cast",    "Clip",       "Concat",     "Constant",  "Div",
    "Elu",       "Exp",     "Flatten",    "Gemm",       "Identity",  "LayerNormalization",
    "LeakyRelu", "Log",     "LogSoftmax", "MatMul",     "Max",       "Min",
    "Mul",       "Neg",     "ReduceMax",  "ReduceMean", "ReduceSum", "Relu",
    "Reshape",   "Sigmoid", "Softmax",    "Softplus",   "Sqrt",      "Squeeze",
    "Sub",       "Tanh",    "Transpose",  "Unsqueeze",
});

std::string Quoted(const std::string& text) { return absl::StrCat("'", text.substr(0, 60), "'"); }

absl::Status CheckNode(const onnx::NodeProto& node, const std::string& origin) {
  const std::string what = absl::StrCat(origin, ": node ", Quoted(node.name()));
  if (!node.domain().empty() && node.domain() != "ai.onnx") {
    return FieldError(what, absl::StrCat("an operator of ", Quoted(node.domain())),
                      "one of ONNX itself");
  }
  if (std::find(kOperators.begin(), kOperators.end(), node.op_type()) == kOperators.end()) {
    return FieldError(what, absl::StrCat("operator ", Quoted(node.op_type())),
                      "plain arithmetic (docs/policy-format.md lists the operators)");
  }
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    if (attribute.has_g() || attribute.graphs_size() > 0 || attribute.has_sparse_tensor() ||
        attribute.sparse_tensors_size() > 0) {
      return FieldError(what, absl::StrCat("attribute ", Quoted(attribute.name())),
                        "numbers or a dense tensor");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIsPlain(const onnx::ModelProto& model, const std::string& origin) {
  if (model.functions_size() > 0) return FieldError(origin, "functions", "none");
  if (model.graph().sparse_initializer_size() > 0)
    return FieldError(origin, "sparse weights", "none");
  for (const onnx::NodeProto& node : model.graph().node()) {
    CLEAVE_RETURN_IF_ERROR(CheckNode(node, origin));
  }
  return RefuseExternalData(model, origin);
}

absl::StatusOr<TensorSpec> SpecOf(const onnx::ValueInfoProto& value, const std::string& origin) {
  const auto& type = value.type().tensor_type();
  const std::string what = absl::StrCat(origin, ": tensor ", Quoted(value.name()));
  const std::optional<DataType> dtype = FromOnnxElementType(type.elem_type());
  if (!dtype || *dtype == DataType::kString) {
    return FieldError(what, absl::StrCat("element type ", type.elem_type()), "a tensor of numbers");
  }
  TensorSpec spec{value.name(), *dtype, {}};
  for (const auto& dim : type.shape().dim()) {
    if (dim.has_dim_value() && dim.dim_value() < 0) {
      return FieldError(what, absl::StrCat("a dimension of ", dim.dim_value()), "at least 0");
    }
    spec.shape.push_back(dim.has_dim_value() ? dim.dim_value() : -1);
  }
  return spec;
}

absl::Status ReadPorts(const onnx::GraphProto& graph, const std::string& origin,
                       PlainModel& plain) {
  std::set<std::string> initialized;
  for (const onnx::TensorProto& tensor : graph.initializer()) initialized.insert(tensor.name());
  for (const onnx::ValueInfoProto& value : graph.input()) {
    if (initialized.contains(value.name())) continue;
    CLEAVE_ASSIGN_OR_RETURN(TensorSpec spec, SpecOf(value, origin));
    plain.inputs.push_back(std::move(spec));
  }
  for (const onnx::ValueInfoProto& value : graph.output()) {
    CLEAVE_ASSIGN_OR_RETURN(TensorSpec spec, SpecOf(value, origin));
    plain.outputs.push_back(std::move(spec));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PlainModel> ReadPlainModel(absl::string_view bytes, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const onnx::ModelProto model, ParseModel(bytes, origin));
  CLEAVE_RETURN_IF_ERROR(CheckIsPlain(model, origin));
  PlainModel plain;
  CLEAVE_RETURN_IF_ERROR(ReadPorts(model.graph(), origin, plain));
  for (const onnx::StringStringEntryProto& entry : model.metadata_props()) {
    if (!plain.metadata.emplace(entry.key(), entry.value()).second) {
      return FieldError(absl::StrCat(origin, ": metadata ", Quoted(entry.key())), "two entries",
                        "one");
    }
  }
  return plain;
}

}  // namespace cleave
