#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "model/graph_impl.h"

namespace cleave {
namespace {

bool IsHalf(std::int64_t element_type) {
  return element_type == onnx::TensorProto::FLOAT16 || element_type == onnx::TensorProto::BFLOAT16;
}

bool ConvertsToHalf(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const onnx::NodeProto& node) {
    const auto& attributes = node.attribute();
    return std::any_of(attributes.begin(), attributes.end(), [](const auto& attribute) {
      // Cast has "to", the operators that draw or count have "dtype" or "output_dtype".
      const bool type = attribute.name() == "to" || attribute.name().ends_with("dtype");
      if (type && IsHalf(attribute.i())) return true;
      if (attribute.has_g() && ConvertsToHalf(attribute.g().node())) return true;
      return std::any_of(attribute.graphs().begin(), attribute.graphs().end(),
                         [](const auto& graph) { return ConvertsToHalf(graph.node()); });
    });
  });
}

}  // namespace

bool UsesHalf(const onnx::ModelProto& model) {
  bool found = ConvertsToHalf(model.graph().node());
  for (const auto& function : model.functions()) found = found || ConvertsToHalf(function.node());
  for (const auto& input : model.graph().input()) {
    found = found || IsHalf(input.type().tensor_type().elem_type());
  }
  ForEachTensor(model, [&found](const onnx::TensorProto& tensor, const std::string&) {
    found = found || IsHalf(tensor.data_type());
  });
  return found;
}

std::optional<DataType> FromOnnxElementType(int element_type) {
  switch (element_type) {
    case onnx::TensorProto::FLOAT:
      return DataType::kFloat32;
    case onnx::TensorProto::FLOAT16:
      return DataType::kFloat16;
    case onnx::TensorProto::BFLOAT16:
      return DataType::kBFloat16;
    case onnx::TensorProto::DOUBLE:
      return DataType::kFloat64;
    case onnx::TensorProto::INT8:
      return DataType::kInt8;
    case onnx::TensorProto::INT16:
      return DataType::kInt16;
    case onnx::TensorProto::INT32:
      return DataType::kInt32;
    case onnx::TensorProto::INT64:
      return DataType::kInt64;
    case onnx::TensorProto::UINT8:
      return DataType::kUint8;
    case onnx::TensorProto::UINT16:
      return DataType::kUint16;
    case onnx::TensorProto::UINT32:
      return DataType::kUint32;
    case onnx::TensorProto::UINT64:
      return DataType::kUint64;
    case onnx::TensorProto::BOOL:
      return DataType::kBool;
    case onnx::TensorProto::STRING:
      return DataType::kString;
    default:
      return std::nullopt;
  }
}

int ToOnnxElementType(DataType dtype) {
  for (int type = 1; type <= onnx::TensorProto::BFLOAT16; ++type) {
    if (FromOnnxElementType(type) == dtype) return type;
  }
  return onnx::TensorProto::UNDEFINED;
}

absl::StatusOr<onnx::ModelProto> ParseModel(absl::string_view bytes, const std::string& origin) {
  constexpr std::size_t kLimit = (std::size_t{1} << 31) - 1;
  if (bytes.size() > kLimit) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": found ", bytes.size(),
                                                   " bytes, expected less than 2 GiB (larger "
                                                   "weights belong into external data)"));
  }
  onnx::ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return absl::InvalidArgumentError(absl::StrCat(origin,
                                                   ": is not an ONNX model, or is cut short: its ",
                                                   bytes.size(), " bytes do not parse"));
  }
  return model;
}

}  // namespace cleave
