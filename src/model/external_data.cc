#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "model/graph_impl.h"

namespace cleave {
namespace fs = std::filesystem;
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::UnknownField;
using google::protobuf::UnknownFieldSet;
using MessageVisitor = std::function<void(const Message&, const std::string& where)>;

// Protobuf's parsers, ONNX Runtime's among them, refuse messages that are nested deeper.
constexpr int kMaxDepth = 100;
// This location tells ONNX Runtime to take the offset for an address in its own memory.
constexpr char kMemoryLocation[] = "_ORT_MEM_ADDR_";

// Visits `message` and all messages that it holds, each before those inside it. `where` is the path
// of fields that leads there; it is restored when the call returns.
void ForEachMessage(const Message& message, std::string& where, const MessageVisitor& visit) {
  visit(message, where);
  const Reflection& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  const std::size_t length = where.size();
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    absl::StrAppend(&where, where.empty() ? "" : ".", field->name());
    if (!field->is_repeated()) {
      ForEachMessage(reflection.GetMessage(message, field), where, visit);
    } else {
      const std::size_t name_end = where.size();
      for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
        absl::StrAppend(&where, "[", i, "]");
        ForEachMessage(reflection.GetRepeatedMessage(message, field, i), where, visit);
        where.resize(name_end);
      }
    }
    where.resize(length);
  }
}

bool MayBeExternalTensor(const UnknownFieldSet& fields, int depth);

// Says whether one of these fields, read as a message, may hold a tensor with external data.
bool MayHoldExternalTensor(const UnknownFieldSet& fields, int depth) {
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    if (field.type() != UnknownField::TYPE_LENGTH_DELIMITED) continue;
    if (depth == kMaxDepth) return true;
    UnknownFieldSet inside;
    if (!inside.ParseFromString(field.length_delimited())) continue;
    if (MayBeExternalTensor(inside, depth + 1)) return true;
  }
  return false;
}

// The location of the data alone decides: a message that comes in two parts is merged from both, so
// that the other fields of the tensor may be elsewhere.
bool MayBeExternalTensor(const UnknownFieldSet& fields, int depth) {
  for (int i = 0; i < fields.field_count(); ++i) {
    const UnknownField& field = fields.field(i);
    if (field.type() == UnknownField::TYPE_VARINT &&
        field.number() == onnx::TensorProto::kDataLocationFieldNumber &&
        static_cast<int>(field.varint()) == onnx::TensorProto::EXTERNAL) {
      return true;
    }
  }
  return MayHoldExternalTensor(fields, depth);
}

// Names a tensor in errors by its name and the path to it.
std::string What(const std::string& origin, const onnx::TensorProto& tensor,
                 const std::string& where) {
  return absl::StrCat(origin, ": external data of '", tensor.name(), "' (", where, ")");
}

// ONNX Runtime may know a newer version of the format than this program does, and reads the fields
// that are passed on to it unread.
absl::Status CheckUnknownFields(const onnx::ModelProto& model, const std::string& origin) {
  absl::Status status;
  std::string root;
  ForEachMessage(model, root, [&](const Message& message, const std::string& where) {
    if (!status.ok()) return;
    if (MayHoldExternalTensor(message.GetReflection()->GetUnknownFields(message), 0)) {
      status = absl::InvalidArgumentError(
          absl::StrCat(origin, ": found external data in a field of ", where.empty() ? "it" : where,
                       " that this program does not know, expected it in one that it knows"));
    }
  });
  return status;
}

struct ExternalRange {
  std::string location;
  std::int64_t offset = 0;
  std::int64_t length = 0;
};

absl::StatusOr<ExternalRange> ReadRange(const onnx::TensorProto& tensor, const std::string& what) {
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
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": ", entry.key(), ": found '", entry.value(), "', expected a number of bytes"));
    }
  }
  return range;
}

absl::Status CheckLocation(const ExternalRange& range, const std::string& folder,
                           const std::string& what) {
  const fs::path relative(range.location);
  if (range.location.empty() || relative.is_absolute() ||
      range.location.find(kMemoryLocation) != std::string::npos) {
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

}  // namespace

void ForEachTensor(const Message& message, const TensorVisitor& visit) {
  std::string root;
  ForEachMessage(message, root, [&](const Message& found, const std::string& where) {
    if (found.GetDescriptor() == onnx::TensorProto::descriptor()) {
      visit(static_cast<const onnx::TensorProto&>(found), where);
    }
  });
}

bool HasExternalData(const onnx::TensorProto& tensor) {
  return tensor.data_location() == onnx::TensorProto::EXTERNAL || tensor.external_data_size() > 0;
}

absl::Status RefuseExternalData(const onnx::ModelProto& model, const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(CheckUnknownFields(model, origin));
  absl::Status status;
  ForEachTensor(model, [&](const onnx::TensorProto& tensor, const std::string& where) {
    if (!status.ok() || !HasExternalData(tensor)) return;
    status = absl::InvalidArgumentError(absl::StrCat(
        What(origin, tensor, where), ": found some, expected all data in the model itself"));
  });
  return status;
}

absl::StatusOr<std::set<std::string>> CheckExternalData(const onnx::ModelProto& model,
                                                        const std::string& folder,
                                                        const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(CheckUnknownFields(model, origin));
  std::set<std::string> files;
  absl::Status status;
  ForEachTensor(model, [&](const onnx::TensorProto& tensor, const std::string& where) {
    if (!status.ok() || tensor.data_location() != onnx::TensorProto::EXTERNAL) return;
    const std::string what = What(origin, tensor, where);
    const absl::StatusOr<ExternalRange> range = ReadRange(tensor, what);
    status = range.ok() ? CheckLocation(*range, folder, what) : range.status();
    if (status.ok()) files.insert(range->location);
  });
  CLEAVE_RETURN_IF_ERROR(status);
  return files;
}

absl::StatusOr<std::string> ReadExternalData(const onnx::TensorProto& tensor,
                                             const std::string& folder, const std::string& what) {
  CLEAVE_ASSIGN_OR_RETURN(const ExternalRange range, ReadRange(tensor, what));
  CLEAVE_RETURN_IF_ERROR(CheckLocation(range, folder, what));
  const fs::path path = fs::path(folder.empty() ? "." : folder) / range.location;
  std::error_code unknown;  // Reading then fails.
  const auto size = static_cast<std::int64_t>(fs::file_size(path, unknown));
  const std::int64_t length =
      range.length > 0 ? range.length : std::max<std::int64_t>(0, size - range.offset);
  std::string bytes(static_cast<std::size_t>(length), '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.seekg(range.offset).read(bytes.data(), length)) {
    return absl::DataLossError(absl::StrCat(what, ": '", path.string(), "' cannot be read"));
  }
  return bytes;
}

}  // namespace cleave
