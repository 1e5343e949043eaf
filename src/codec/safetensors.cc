#include "codec/safetensors.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/json_name.h"
#include "core/json_section.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kMetadata = "__metadata__";
constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = std::size_t{1} << 24;
constexpr std::size_t kMostDimensions = 8;

constexpr std::array<JsonName<DataType>, 4> kTypes = {{{"F32", DataType::kFloat32},
                                                       {"I16", DataType::kInt16},
                                                       {"I32", DataType::kInt32},
                                                       {"U8", DataType::kUint8}}};

struct Entry {
  std::string name;
  DataType dtype = DataType::kFloat32;
  Shape shape;
  std::vector<int> offsets;  // First byte and one behind the last.
};

Entry ReadEntry(const std::string& name, JsonSection section) {
  Entry entry;
  entry.name = name;
  std::vector<int> shape;
  if (!section.Has("dtype")) {
    std::string missing;
    section.Text("dtype", missing);
  }
  ReadName(section, "dtype", kTypes, entry.dtype);
  section.Wholes("shape", 0, kMostDimensions, shape);
  section.Wholes("data_offsets", 2, 2, entry.offsets);
  section.Finish();
  entry.shape.assign(shape.begin(), shape.end());
  return entry;
}

absl::StatusOr<std::vector<Entry>> ReadHeader(absl::string_view json, const std::string& origin,
                                              std::map<std::string, std::string>& metadata) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document,
                          JsonDocument::Parse(json, origin, JsonDocument::Names::kColon));
  JsonSection root = document.Root();
  std::vector<Entry> entries;
  for (const std::string& key : root.Keys()) {
    JsonSection section = root.Section(key);
    if (key != kMetadata) {
      entries.push_back(ReadEntry(key, std::move(section)));
      continue;
    }
    for (const std::string& name : section.Keys()) section.Text(name, metadata[name]);
  }
  CLEAVE_RETURN_IF_ERROR(document.status());
  return entries;
}

absl::StatusOr<Tensor> TensorOf(const Entry& entry, absl::string_view data, int expected_begin,
                                const std::string& at) {
  const auto [begin, end] = std::pair(entry.offsets[0], entry.offsets[1]);
  if (begin != expected_begin || end < begin || static_cast<std::size_t>(end) > data.size()) {
    return FieldError(at + ": data_offsets", absl::StrCat(begin, " to ", end),
                      absl::StrCat("from ", expected_begin, " on, to ", data.size(), " at most"));
  }
  const absl::StatusOr<std::int64_t> elements = ElementCount(entry.shape);
  const std::int64_t bytes =
      elements.ok() ? *elements * static_cast<std::int64_t>(ElementSize(entry.dtype)) : -1;
  if (bytes != end - begin) {
    return FieldError(at + ": data_offsets", absl::StrCat(end - begin, " bytes"),
                      absl::StrCat(bytes, " for the shape ", ShapeString(entry.shape)));
  }
  CLEAVE_ASSIGN_OR_RETURN(
      Tensor tensor, Tensor::FromBytes(entry.dtype, entry.shape,
                                       std::string(data.substr(static_cast<std::size_t>(begin),
                                                               static_cast<std::size_t>(bytes)))));
  if (entry.dtype != DataType::kFloat32) return tensor;
  const auto values = tensor.floats();
  const auto wrong =
      std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
  if (wrong == values.end()) return tensor;
  return FieldError(absl::StrCat(at, ": element ", wrong - values.begin()), *wrong,
                    "a finite number");
}

}  // namespace

absl::StatusOr<Safetensors> ReadSafetensors(absl::string_view bytes, const std::string& origin) {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) {
    return FieldError(origin, absl::StrCat(bytes.size(), " bytes"), "at least 8");
  }
  std::memcpy(&length, bytes.data(), kLengthBytes);
  bytes.remove_prefix(kLengthBytes);
  if (length > kMaxHeaderBytes || length > bytes.size()) {
    return FieldError(origin + ": header length", absl::StrCat(length),
                      absl::StrCat("at most ", std::min(bytes.size(), kMaxHeaderBytes)));
  }
  Safetensors contents;
  CLEAVE_ASSIGN_OR_RETURN(std::vector<Entry> entries,
                          ReadHeader(bytes.substr(0, length), origin, contents.metadata));
  const absl::string_view data = bytes.substr(length);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return std::pair(a.offsets, a.name) < std::pair(b.offsets, b.name);
  });
  int at = 0;
  for (const Entry& entry : entries) {
    CLEAVE_ASSIGN_OR_RETURN(Tensor tensor,
                            TensorOf(entry, data, at, absl::StrCat(origin, ": ", entry.name)));
    at = entry.offsets[1];
    contents.tensors.emplace(entry.name, std::move(tensor));
  }
  if (static_cast<std::size_t>(at) != data.size()) {
    return FieldError(origin, absl::StrCat(data.size(), " bytes of tensors"), at);
  }
  return contents;
}

std::string WriteSafetensors(const Safetensors& contents) {
  Json header = Json::object();
  for (const auto& [name, text] : contents.metadata) header[kMetadata][name] = text;
  std::string data;
  for (const auto& [name, tensor] : contents.tensors) {
    const std::size_t begin = data.size();
    data.append(tensor.bytes().data(), tensor.size_bytes());
    header[name] = {{"dtype", std::string(NameOf(kTypes, tensor.dtype()))},
                    {"shape", tensor.shape()},
                    {"data_offsets", {begin, data.size()}}};
  }
  std::string json = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  // The format wants the tensors to begin at a multiple of 8 bytes.
  json.resize((json.size() + kLengthBytes - 1) / kLengthBytes * kLengthBytes, ' ');
  const std::uint64_t length = json.size();
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&length), kLengthBytes), json,
                      data);
}

}  // namespace cleave
