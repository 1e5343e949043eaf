#include <filesystem>
#include <functional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"

namespace cleave {
namespace fs = std::filesystem;
namespace {

struct ExternalRange {
  std::string location;
  std::int64_t offset = 0;
  std::int64_t length = 0;
};

absl::StatusOr<ExternalRange> ReadRange(const onnx::TensorProto& tensor,
                                        const std::string& origin) {
  ExternalRange range;
  for (const onnx::StringStringEntryProto& entry : tensor.external_data()) {
    if (entry.key() == "location") {
      range.location = entry.value();
      continue;
    }
    std::int64_t* number = entry.key() == "offset"   ? &range.offset
                           : entry.key() == "length" ? &range.length
                                                     : nullptr;
    if (number != nullptr && (!absl::SimpleAtoi(entry.value(), number) || *number < 0)) {
      return absl::InvalidArgumentError(absl::StrCat(origin, ": external data of '", tensor.name(),
                                                     "': ", entry.key(), ": found '", entry.value(),
                                                     "', expected a number of bytes"));
    }
  }
  return range;
}

absl::Status CheckLocation(const ExternalRange& range, const std::string& folder,
                           const std::string& what) {
  const fs::path relative(range.location);
  if (range.location.empty() || relative.is_absolute()) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": location: found '", range.location,
                                                   "', expected a path inside the model's folder"));
  }
  std::error_code error;
  const fs::path base = fs::weakly_canonical(folder.empty() ? "." : folder, error);
  const fs::path target = fs::weakly_canonical(base / relative, error);
  const fs::path from_base = target.lexically_relative(base);
  if (error || from_base.empty() || *from_base.begin() == "..") {
    return absl::InvalidArgumentError(absl::StrCat(what, ": location: found '", range.location,
                                                   "', which leaves the model's folder"));
  }
  const std::uintmax_t size = fs::file_size(target, error);
  if (error) {
    return absl::NotFoundError(
        absl::StrCat(what, ": location: '", target.string(), "': no such file"));
  }
  const auto end =
      static_cast<std::uintmax_t>(range.offset) + static_cast<std::uintmax_t>(range.length);
  if (end > size) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": found ", size, " bytes in '",
                                                   target.string(), "', expected at least ", end));
  }
  return absl::OkStatus();
}

void VisitAttribute(const onnx::AttributeProto& attribute,
                    const std::function<void(const onnx::TensorProto&)>& visit) {
  if (attribute.has_t()) visit(attribute.t());
  for (const onnx::TensorProto& tensor : attribute.tensors()) visit(tensor);
  if (attribute.has_g()) ForEachTensor(attribute.g(), visit);
  for (const onnx::GraphProto& graph : attribute.graphs()) ForEachTensor(graph, visit);
}

}  // namespace

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

void ForEachTensor(const onnx::GraphProto& graph,
                   const std::function<void(const onnx::TensorProto&)>& visit) {
  for (const onnx::TensorProto& tensor : graph.initializer()) visit(tensor);
  for (const onnx::NodeProto& node : graph.node()) {
    for (const onnx::AttributeProto& attribute : node.attribute()) VisitAttribute(attribute, visit);
  }
}

absl::StatusOr<std::set<std::string>> CheckExternalData(const onnx::ModelProto& model,
                                                        const std::string& folder,
                                                        const std::string& origin) {
  std::set<std::string> files;
  absl::Status status;
  ForEachTensor(model.graph(), [&](const onnx::TensorProto& tensor) {
    if (!status.ok() || tensor.data_location() != onnx::TensorProto::EXTERNAL) return;
    const absl::StatusOr<ExternalRange> range = ReadRange(tensor, origin);
    status = range.ok()
                 ? CheckLocation(*range, folder,
                                 absl::StrCat(origin, ": external data of '", tensor.name(), "'"))
                 : range.status();
    if (status.ok()) files.insert(range->location);
  });
  CLEAVE_RETURN_IF_ERROR(status);
  return files;
}

}  // namespace cleave
