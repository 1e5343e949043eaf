#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "codec/sidecar.h"
#include "core/check.h"
#include "core/file.h"
#include "core/json_name.h"
#include "core/json_section.h"
#include "core/status_macros.h"
#include "profile/accuracy_table.h"

namespace cleave {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSection = "calibration";
constexpr std::size_t kMaxRows = 1'000'000;
constexpr std::array<JsonName<AccuracyTable::Metric>, 2> kMetrics = {
    {{"top1", AccuracyTable::Metric::kTop1},
     {"mean_average_precision", AccuracyTable::Metric::kMeanAveragePrecision}}};

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

AccuracyRow ReadRow(JsonSection& section, AccuracyTable::Metric metric) {
  AccuracyRow row;
  section.Whole("exit", row.plan.exit);
  section.Whole("cut", row.plan.cut);
  std::string encoding(EncodingName(row.plan.encoding));
  section.Text("encoding", encoding);
  if (const absl::StatusOr<Encoding> known = ParseEncoding(encoding); known.ok()) {
    row.plan.encoding = *known;
  } else {
    section.Fail(known.status());
  }
  if (metric == AccuracyTable::Metric::kMeanAveragePrecision) {
    DetectionAccuracy& detection = row.detection.emplace();
    section.Number("precision", detection.at_50_to_95);
    section.Number("precision_at_50", detection.at_50);
    section.Number("low", detection.interval.low);
    section.Number("high", detection.interval.high);
  } else {
    section.Whole("right", row.right);
  }
  section.Number("bytes", row.bytes);
  section.Number("entropy_bytes", row.entropy_bytes);
  section.Finish();
  return row;
}

// `section` is an object of `document`.
absl::StatusOr<AccuracyTable> ReadTable(const JsonDocument& document, JsonSection section,
                                        const std::string& origin) {
  section.Only({"model_digest", "data_digest", "samples", "seed", "labels", "metric", "rows"});
  AccuracyTable::About about;
  section.Text("model_digest", about.model_digest);
  section.Text("data_digest", about.data_digest);
  section.Whole("samples", about.samples);
  section.Whole("seed", about.seed);
  section.Bool("labels", about.labels);
  ReadName(section, "metric", kMetrics, about.metric);
  std::vector<AccuracyRow> rows;
  for (JsonSection& row : section.Sections("rows", 0, kMaxRows, "rows"))
    rows.push_back(ReadRow(row, about.metric));
  section.Finish();
  CLEAVE_RETURN_IF_ERROR(document.status());
  absl::StatusOr<AccuracyTable> table = AccuracyTable::Create(std::move(about), std::move(rows));
  if (table.ok()) return table;
  return absl::InvalidArgumentError(absl::StrCat(origin, ": ", table.status().message()));
}

std::string RowText(const AccuracyRow& row) {
  Json json = {{"exit", row.plan.exit},
               {"cut", row.plan.cut},
               {"encoding", std::string(EncodingName(row.plan.encoding))}};
  if (row.detection) {
    json["precision"] = row.detection->at_50_to_95;
    json["precision_at_50"] = row.detection->at_50;
    json["low"] = row.detection->interval.low;
    json["high"] = row.detection->interval.high;
  } else {
    json["right"] = row.right;
  }
  json["bytes"] = row.bytes;
  json["entropy_bytes"] = row.entropy_bytes;
  return Dump(json);
}

}  // namespace

absl::string_view AccuracyTable::MetricName(Metric metric) { return NameOf(kMetrics, metric); }

std::string AccuracyTable::ToJson() const {
  std::string text =
      absl::StrCat("{\"model_digest\": \"", about_.model_digest, "\", \"data_digest\": \"",
                   about_.data_digest, "\",\n  \"samples\": ", about_.samples,
                   ", \"seed\": ", about_.seed, ", \"labels\": ", about_.labels ? "true" : "false",
                   about_.metric == Metric::kTop1
                       ? ""
                       : absl::StrCat(", \"metric\": \"", MetricName(about_.metric), "\""),
                   ", \"rows\": [\n");
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    absl::StrAppend(&text, "  ", RowText(rows_[i]), i + 1 < rows_.size() ? ",\n" : "]}");
  }
  return text;
}

absl::StatusOr<AccuracyTable> AccuracyTable::FromJson(absl::string_view json,
                                                      const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document,
                          JsonDocument::Parse(json, origin, JsonDocument::Names::kColon));
  return ReadTable(document, document.Root(), origin);
}

absl::StatusOr<AccuracyTable> AccuracyTable::Load(const std::string& model_path,
                                                  absl::string_view model_digest) {
  CLEAVE_ASSIGN_OR_RETURN(const Sidecar sidecar, ReadSidecar(model_path));
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(sidecar.text, sidecar.path,
                                                                     JsonDocument::Names::kColon));
  JsonSection root = document.Root();
  if (!root.Has(kSection)) {
    return absl::NotFoundError(absl::StrCat(sidecar.path, ": has no field ", kSection));
  }
  const std::string origin = absl::StrCat(sidecar.path, ": ", kSection);
  CLEAVE_ASSIGN_OR_RETURN(AccuracyTable table, ReadTable(document, root.Section(kSection), origin));
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
  const Json root = Json::parse(sidecar->text, /*cb=*/nullptr, /*allow_exceptions=*/false);
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
