#include "codec/class_labels.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "codec/sidecar.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMostLabels = std::size_t{1} << 20;
constexpr std::size_t kMostLabelBytes = 256;
constexpr std::int64_t kMostFileBytes = std::int64_t{16} << 20;

absl::Status CheckCount(const std::string& where, std::size_t count) {
  if (count <= kMostLabels) return absl::OkStatus();
  return FieldError(where, absl::StrCat(count, " names"), "at most 1048576");
}

absl::Status CheckLabel(const std::string& where, absl::string_view label) {
  if (label.size() <= kMostLabelBytes) return absl::OkStatus();
  return FieldError(where, absl::StrCat("a name of ", label.size(), " bytes"), "at most 256");
}

}  // namespace

absl::StatusOr<ClassLabels> ClassLabelsFromJson(absl::string_view json, const std::string& origin) {
  const Json root = Json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return FieldError(origin, "no JSON object", "{\"labels\": [..]}");
  const auto found = root.find("labels");
  ClassLabels labels;
  if (found == root.end()) return labels;
  const std::string field = absl::StrCat(origin, ": labels");
  if (!found->is_array()) return FieldError(field, found->type_name(), "a list of names");
  CLEAVE_RETURN_IF_ERROR(CheckCount(field, found->size()));
  labels.reserve(found->size());
  for (const Json& value : *found) {
    const std::string where = absl::StrCat(field, "[", labels.size(), "]");
    if (!value.is_string()) return FieldError(where, value.type_name(), "a name");
    CLEAVE_RETURN_IF_ERROR(CheckLabel(where, value.get_ref<const std::string&>()));
    labels.push_back(value.get<std::string>());
  }
  return labels;
}

absl::StatusOr<ClassLabels> ClassLabelsOfModel(const std::string& model_path) {
  const absl::StatusOr<Sidecar> sidecar = ReadSidecar(model_path);
  if (absl::IsNotFound(sidecar.status())) return ClassLabels();
  CLEAVE_RETURN_IF_ERROR(sidecar.status());
  return ClassLabelsFromJson(sidecar->text, sidecar->path);
}

absl::StatusOr<ClassLabels> ReadClassLabels(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMostFileBytes));
  ClassLabels labels;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::ConsumeSuffix(&line, "\r");
    CLEAVE_RETURN_IF_ERROR(CheckLabel(absl::StrCat(path, ":", labels.size() + 1), line));
    labels.emplace_back(line);
  }
  while (!labels.empty() && labels.back().empty()) labels.pop_back();
  CLEAVE_RETURN_IF_ERROR(CheckCount(path, labels.size()));
  if (labels.empty()) return FieldError(path, "no names", "the name of a class on each line");
  return labels;
}

}  // namespace cleave
