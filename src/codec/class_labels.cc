#include "codec/class_labels.h"

#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "codec/sidecar.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json_section.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr absl::string_view kField = "labels";
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
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json, origin));
  JsonSection root = document.Root();
  ClassLabels labels;
  if (root.Has(kField)) root.Texts(kField, 0, kMostLabels, labels, "names");
  CLEAVE_RETURN_IF_ERROR(document.status());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    CLEAVE_RETURN_IF_ERROR(CheckLabel(absl::StrCat(origin, ": ", kField, "[", i, "]"), labels[i]));
  }
  return labels;
}

std::string WithClassLabels(absl::string_view sidecar, const ClassLabels& labels) {
  const std::size_t begin = sidecar.find('{') + 1;
  const std::string names =
      nlohmann::json(labels).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  return absl::StrCat(sidecar.substr(0, begin), "\"", kField, "\": ", names, ",\n ",
                      sidecar.substr(begin));
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
