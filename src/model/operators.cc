#include "model/operators.h"

#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

template <typename Value>
const Value* Find(const Operator& node, absl::string_view attribute) {
  const auto found = node.attributes.find(attribute);
  return found == node.attributes.end() ? nullptr : std::get_if<Value>(&found->second);
}

// The elements of a field that holds each in a wider type.
template <typename Element, typename Field>
std::string Narrowed(const Field& field) {
  std::string bytes(static_cast<std::size_t>(field.size()) * sizeof(Element), '\0');
  char* to = bytes.data();
  for (const auto value : field) {
    const auto element = static_cast<Element>(value);
    std::memcpy(to, &element, sizeof element);
    to += sizeof element;
  }
  return bytes;
}

std::string BytesOfFields(const onnx::TensorProto& tensor, DataType dtype) {
  switch (dtype) {
    case DataType::kFloat32:
      return Narrowed<float>(tensor.float_data());
    case DataType::kFloat64:
      return Narrowed<double>(tensor.double_data());
    case DataType::kInt64:
      return Narrowed<std::int64_t>(tensor.int64_data());
    case DataType::kUint64:
      return Narrowed<std::uint64_t>(tensor.uint64_data());
    case DataType::kUint32:
      return Narrowed<std::uint32_t>(tensor.uint64_data());
    case DataType::kInt32:
      return Narrowed<std::int32_t>(tensor.int32_data());
    case DataType::kInt16:
    case DataType::kUint16:
    case DataType::kFloat16:
    case DataType::kBFloat16:
      return Narrowed<std::uint16_t>(tensor.int32_data());
    default:
      return Narrowed<std::uint8_t>(tensor.int32_data());
  }
}

absl::StatusOr<Tensor> ReadTensor(const onnx::TensorProto& tensor, const std::string& folder,
                                  const std::string& what) {
  const std::optional<DataType> dtype = FromOnnxElementType(tensor.data_type());
  if (!dtype || *dtype == DataType::kString) {
    return FieldError(what, absl::StrCat("element type ", tensor.data_type()), "numbers");
  }
  std::string bytes;
  if (HasExternalData(tensor)) {
    CLEAVE_ASSIGN_OR_RETURN(bytes, ReadExternalData(tensor, folder, what));
  } else {
    bytes = tensor.has_raw_data() ? tensor.raw_data() : BytesOfFields(tensor, *dtype);
  }
  absl::StatusOr<Tensor> read = Tensor::FromBytes(
      *dtype, Shape(tensor.dims().begin(), tensor.dims().end()), std::move(bytes));
  if (read.ok()) return read;
  return absl::InvalidArgumentError(absl::StrCat(what, ": ", read.status().message()));
}

absl::StatusOr<Operator::Value> ReadAttribute(const onnx::AttributeProto& attribute,
                                              const std::string& folder, const std::string& what) {
  switch (attribute.type()) {
    case onnx::AttributeProto::INT:
      return Operator::Value(std::int64_t{attribute.i()});
    case onnx::AttributeProto::FLOAT:
      return Operator::Value(attribute.f());
    case onnx::AttributeProto::STRING:
      return Operator::Value(attribute.s());
    case onnx::AttributeProto::INTS:
      return Operator::Value(
          std::vector<std::int64_t>(attribute.ints().begin(), attribute.ints().end()));
    case onnx::AttributeProto::FLOATS:
      return Operator::Value(
          std::vector<float>(attribute.floats().begin(), attribute.floats().end()));
    case onnx::AttributeProto::TENSOR: {
      CLEAVE_ASSIGN_OR_RETURN(Tensor tensor, ReadTensor(attribute.t(), folder, what));
      return Operator::Value(std::move(tensor));
    }
    default:
      return FieldError(what, absl::StrCat("an attribute of type ", attribute.type()),
                        "numbers, a text or a tensor");
  }
}

absl::StatusOr<Operator> ReadOperator(const onnx::NodeProto& node, const std::string& folder,
                                      const std::string& origin) {
  Operator read;
  read.type = node.op_type();
  read.domain = node.domain() == "ai.onnx" ? "" : node.domain();
  read.name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  read.inputs.assign(node.input().begin(), node.input().end());
  read.outputs.assign(node.output().begin(), node.output().end());
  for (const onnx::AttributeProto& attribute : node.attribute()) {
    const std::string what =
        absl::StrCat(origin, ": ", read.What(), ": attribute '", attribute.name(), "'");
    CLEAVE_ASSIGN_OR_RETURN(Operator::Value value, ReadAttribute(attribute, folder, what));
    read.attributes.emplace(attribute.name(), std::move(value));
  }
  return read;
}

}  // namespace

std::int64_t Operator::Int(absl::string_view attribute, std::int64_t otherwise) const {
  const auto* value = Find<std::int64_t>(*this, attribute);
  return value == nullptr ? otherwise : *value;
}

float Operator::Float(absl::string_view attribute, float otherwise) const {
  const auto* value = Find<float>(*this, attribute);
  return value == nullptr ? otherwise : *value;
}

std::string Operator::Text(absl::string_view attribute, const std::string& otherwise) const {
  const auto* value = Find<std::string>(*this, attribute);
  return value == nullptr ? otherwise : *value;
}

std::vector<std::int64_t> Operator::Ints(absl::string_view attribute,
                                         const std::vector<std::int64_t>& otherwise) const {
  const auto* value = Find<std::vector<std::int64_t>>(*this, attribute);
  return value == nullptr ? otherwise : *value;
}

std::string Operator::What() const {
  return absl::StrCat(domain, domain.empty() ? "" : ".", type, " node '", name, "'");
}

absl::StatusOr<OperatorGraph> ReadOperators(absl::string_view bytes, const std::string& folder,
                                            const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const onnx::ModelProto model, ParseModel(bytes, origin));
  OperatorGraph read;
  for (const onnx::OperatorSetIdProto& opset : model.opset_import()) {
    if (opset.domain().empty() || opset.domain() == "ai.onnx") read.opset = opset.version();
  }
  const onnx::GraphProto& graph = model.graph();
  if (graph.sparse_initializer_size() > 0) {
    return FieldError(absl::StrCat(origin, ": weights"), "sparse ones", "dense ones");
  }
  for (const onnx::TensorProto& tensor : graph.initializer()) {
    const std::string what = absl::StrCat(origin, ": weights '", tensor.name(), "'");
    CLEAVE_ASSIGN_OR_RETURN(read.constants[tensor.name()], ReadTensor(tensor, folder, what));
  }
  for (const onnx::ValueInfoProto& input : graph.input()) {
    if (!read.constants.contains(input.name())) read.inputs.push_back(input.name());
  }
  for (const onnx::ValueInfoProto& output : graph.output()) read.outputs.push_back(output.name());
  for (const onnx::NodeProto& node : graph.node()) {
    CLEAVE_ASSIGN_OR_RETURN(Operator next, ReadOperator(node, folder, origin));
    read.operators.push_back(std::move(next));
  }
  return read;
}

absl::StatusOr<std::string> WithOutputs(absl::string_view bytes,
                                        const std::vector<std::string>& tensors,
                                        const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(onnx::ModelProto model, ParseModel(bytes, origin));
  model.mutable_graph()->clear_output();
  for (const std::string& tensor : tensors) {
    onnx::ValueInfoProto& output = *model.mutable_graph()->add_output();
    output.set_name(tensor);
    output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
  }
  return model.SerializeAsString();
}

}  // namespace cleave
