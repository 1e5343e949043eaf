#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/sidecar.h"
#include "core/check.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "profile/accuracy_table.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSection = "calibration";
constexpr std::size_t kMaxRows = 1'000'000;

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status Bad(const std::string& origin, absl::string_view field, absl::string_view found,
                 absl::string_view expected) {
  return FieldError(absl::StrCat(origin, ": ", field), found, expected);
}

absl::Status CheckFields(const Json& json, const std::string& origin,
                         const std::vector<absl::string_view>& known) {
  if (!json.is_object()) {
    return FieldError(origin, json.type_name(), "an object");
  }
  for (const absl::string_view field : known) {
    if (!json.contains(std::string(field))) {
      return absl::InvalidArgumentError(absl::StrCat(origin, ": field '", field, "' is missing"));
    }
  }
  for (const auto& [field, value] : json.items()) {
    if (std::find(known.begin(), known.end(), field) == known.end()) {
      return absl::InvalidArgumentError(
          absl::StrCat(origin, ": field '", field.substr(0, 60), "' is not one that there is"));
    }
  }
  return absl::OkStatus();
}

absl::Status WrongType(const Json& json, const char* field, const std::string& origin,
                       absl::string_view expected) {
  return Bad(origin, field, Dump(json.at(field)).substr(0, 60), expected);
}

template <typename T>
absl::StatusOr<T> Whole(const Json& json, const char* field, const std::string& origin) {
  const Json& value = json.at(field);
  if (!value.is_number_integer()) return WrongType(json, field, origin, "a whole number");
  const bool fits = value.is_number_unsigned() ? std::in_range<T>(value.get<std::uint64_t>())
                                               : std::in_range<T>(value.get<std::int64_t>());
  if (!fits) return WrongType(json, field, origin, "a number that is not as far from 0");
  return value.get<T>();
}

absl::StatusOr<double> Number(const Json& json, const char* field, const std::string& origin) {
  if (!json.at(field).is_number()) return WrongType(json, field, origin, "a number");
  return json.at(field).get<double>();
}

absl::StatusOr<std::string> Text(const Json& json, const char* field, const std::string& origin) {
  if (!json.at(field).is_string()) return WrongType(json, field, origin, "a text");
  return json.at(field).get<std::string>();
}

absl::StatusOr<AccuracyRow> RowFromJson(const Json& json, const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(
      CheckFields(json, origin, {"exit", "cut", "encoding", "right", "bytes", "entropy_bytes"}));
  AccuracyRow row;
  CLEAVE_ASSIGN_OR_RETURN(row.plan.exit, Whole<int>(json, "exit", origin));
  CLEAVE_ASSIGN_OR_RETURN(row.plan.cut, Whole<int>(json, "cut", origin));
  CLEAVE_ASSIGN_OR_RETURN(const std::string encoding, Text(json, "encoding", origin));
  const absl::StatusOr<Encoding> known = ParseEncoding(encoding);
  if (!known.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": ", known.status().message()));
  }
  row.plan.encoding = *known;
  CLEAVE_ASSIGN_OR_RETURN(row.right, Whole<std::int64_t>(json, "right", origin));
  CLEAVE_ASSIGN_OR_RETURN(row.bytes, Number(json, "bytes", origin));
  CLEAVE_ASSIGN_OR_RETURN(row.entropy_bytes, Number(json, "entropy_bytes", origin));
  return row;
}

absl::StatusOr<AccuracyTable> TableFromJson(const Json& json, const std::string& origin) {
  CLEAVE_RETURN_IF_ERROR(CheckFields(
      json, origin, {"model_digest", "data_digest", "samples", "seed", "labels", "rows"}));
  AccuracyTable::About about;
  CLEAVE_ASSIGN_OR_RETURN(about.model_digest, Text(json, "model_digest", origin));
  CLEAVE_ASSIGN_OR_RETURN(about.data_digest, Text(json, "data_digest", origin));
  CLEAVE_ASSIGN_OR_RETURN(about.samples, Whole<std::int64_t>(json, "samples", origin));
  CLEAVE_ASSIGN_OR_RETURN(about.seed, Whole<std::uint64_t>(json, "seed", origin));
  if (!json.at("labels").is_boolean()) return WrongType(json, "labels", origin, "true or false");
  about.labels = json.at("labels").get<bool>();
  const Json& list = json.at("rows");
  if (!list.is_array() || list.size() > kMaxRows) {
    return WrongType(json, "rows", origin, absl::StrCat("a list of at most ", kMaxRows));
  }
  std::vector<AccuracyRow> rows;
  rows.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    CLEAVE_ASSIGN_OR_RETURN(AccuracyRow row,
                            RowFromJson(list[i], absl::StrCat(origin, ": rows[", i, "]")));
    rows.push_back(row);
  }
  absl::StatusOr<AccuracyTable> table = AccuracyTable::Create(std::move(about), std::move(rows));
  if (table.ok()) return table;
  return absl::InvalidArgumentError(absl::StrCat(origin, ": ", table.status().message()));
}

Json Parse(absl::string_view text) {
  return Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
}

std::string RowText(const AccuracyRow& row) {
  return Dump(Json{{"exit", row.plan.exit},
                   {"cut", row.plan.cut},
                   {"encoding", std::string(EncodingName(row.plan.encoding))},
                   {"right", row.right},
                   {"bytes", row.bytes},
                   {"entropy_bytes", row.entropy_bytes}});
}

}  // namespace

std::string AccuracyTable::ToJson() const {
  std::string text = absl::StrCat(
      "{\"model_digest\": \"", about_.model_digest, "\", \"data_digest\": \"", about_.data_digest,
      "\",\n  \"samples\": ", about_.samples, ", \"seed\": ", about_.seed,
      ", \"labels\": ", about_.labels ? "true" : "false", ", \"rows\": [\n");
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    absl::StrAppend(&text, "  ", RowText(rows_[i]), i + 1 < rows_.size() ? ",\n" : "]}");
  }
  return text;
}

absl::StatusOr<AccuracyTable> AccuracyTable::FromJson(absl::string_view json,
                                                      const std::string& origin) {
  const Json parsed = Parse(json);
  if (parsed.is_discarded()) return absl::InvalidArgumentError(origin + ": found no JSON");
  return TableFromJson(parsed, origin);
}

absl::StatusOr<AccuracyTable> AccuracyTable::Load(const std::string& model_path,
                                                  absl::string_view model_digest) {
  CLEAVE_ASSIGN_OR_RETURN(const Sidecar sidecar, ReadSidecar(model_path));
  const Json root = Parse(sidecar.text);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(sidecar.path + ": found no JSON object, expected one");
  }
  if (!root.contains(kSection)) {
    return absl::NotFoundError(absl::StrCat(sidecar.path, ": has no field ", kSection));
  }
  const std::string origin = absl::StrCat(sidecar.path, ": ", kSection);
  CLEAVE_ASSIGN_OR_RETURN(AccuracyTable table, TableFromJson(root.at(kSection), origin));
  if (table.about().model_digest != model_digest) {
    return absl::FailedPreconditionError(absl::StrCat(
        origin, ": is that of another model: found the digest ", table.about().model_digest,
        ", expected ", model_digest, " (cleave calibrate ", model_path, " makes it anew)"));
  }
  return table;
}

absl::StatusOr<std::string> AccuracyTable::Save(const std::string& model_path) const {
  absl::StatusOr<Sidecar> sidecar = ReadSidecar(model_path);
  if (absl::IsNotFound(sidecar.status())) sidecar = Sidecar{NewSidecarPath(model_path), "{}"};
  CLEAVE_RETURN_IF_ERROR(sidecar.status());
  const Json root = Parse(sidecar->text);
  if (!root.is_object()) {
    return absl::InvalidArgumentError(sidecar->path +
                                      ": found no JSON object, expected one (it is left as it is)");
  }
  std::string text = "{";
  for (const auto& [field, value] : root.items()) {
    if (field != kSection) absl::StrAppend(&text, Dump(field), ": ", Dump(value), ",\n ");
  }
  absl::StrAppend(&text, "\"", kSection, "\": ", ToJson(), "}\n");
  CLEAVE_RETURN_IF_ERROR(WriteFileAtomically(sidecar->path, text));
  return sidecar->path;
}

}  // namespace cleave
