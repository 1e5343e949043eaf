#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "codec/sidecar.h"
#include "core/json_name.h"
#include "core/json_section.h"
#include "core/status_macros.h"
#include "detect/detection_head.h"

namespace cleave {
namespace {

using Kind = DetectionHead::Kind;
using BoxFormat = DetectionHead::BoxFormat;
using Activation = DetectionHead::Activation;
using Suppression = DetectionHead::Suppression;
using Outputs = DetectionHead::Outputs;

constexpr std::array<JsonName<Kind>, 6> kKinds = {
    {{"none", Kind::kNone},
     {"boxes_scores_labels", Kind::kBoxesScoresLabels},
     {"boxes_scores_per_class", Kind::kBoxesScoresPerClass},
     {"yolo_v5", Kind::kYoloV5},
     {"yolo_v8", Kind::kYoloV8},
     {"distribution", Kind::kDistribution}}};
constexpr std::array<JsonName<BoxFormat>, 4> kBoxFormats = {{{"xyxy", BoxFormat::kXyxy},
                                                             {"yxyx", BoxFormat::kYxyx},
                                                             {"xywh", BoxFormat::kXywh},
                                                             {"cxcywh", BoxFormat::kCxcywh}}};
constexpr std::array<JsonName<Activation>, 3> kActivations = {{{"none", Activation::kNone},
                                                               {"sigmoid", Activation::kSigmoid},
                                                               {"softmax", Activation::kSoftmax}}};
constexpr std::array<JsonName<Suppression>, 2> kSuppressions = {
    {{"none", Suppression::kNone}, {"class", Suppression::kClass}}};

void ReadOutput(JsonSection& section, absl::string_view key, std::string& to) {
  if (section.Has(key)) section.Text(key, to);
}

void ReadOutputs(JsonSection& section, absl::string_view key, std::vector<std::string>& to) {
  if (section.Has(key)) section.Texts(key, 1, kMostStrides, to);
}

void ReadNumber(JsonSection& section, absl::string_view key, double& to) {
  if (section.Has(key)) section.Number(key, to);
}

void ReadWhole(JsonSection& section, absl::string_view key, int& to) {
  if (section.Has(key)) section.Whole(key, to);
}

Outputs ReadOutputs(JsonSection section) {
  Outputs outputs;
  ReadOutput(section, "predictions", outputs.predictions);
  ReadOutput(section, "boxes", outputs.boxes);
  ReadOutput(section, "labels", outputs.labels);
  ReadOutput(section, "count", outputs.count);
  ReadOutputs(section, "scores", outputs.scores);
  ReadOutputs(section, "distances", outputs.distances);
  section.Finish();
  return outputs;
}

DetectionHead ReadHead(JsonSection& section) {
  Kind kind = Kind::kNone;
  if (section.Has("kind")) {
    ReadName(section, "kind", kKinds, kind);
  } else {
    std::string missing;
    section.Text("kind", missing);
  }
  DetectionHead head = DetectionHead::Of(kind);
  if (section.Has("outputs")) head.outputs = ReadOutputs(section.Section("outputs"));
  ReadName(section, "box_format", kBoxFormats, head.box_format);
  if (section.Has("normalized")) section.Bool("normalized", head.normalized);
  ReadName(section, "activation", kActivations, head.activation);
  ReadWhole(section, "first_class", head.first_class);
  if (section.Has("strides")) section.Wholes("strides", 1, kMostStrides, head.strides);
  ReadWhole(section, "reg_max", head.reg_max);
  ReadNumber(section, "cell_offset", head.cell_offset);
  ReadNumber(section, "score_threshold", head.score_threshold);
  ReadName(section, "nms", kSuppressions, head.suppression);
  ReadNumber(section, "iou_threshold", head.iou_threshold);
  ReadWhole(section, "most", head.most);
  section.Finish();
  return head;
}

}  // namespace

absl::string_view KindName(Kind kind) { return NameOf(kKinds, kind); }

absl::StatusOr<std::optional<DetectionHead>> DetectionHead::FromJson(absl::string_view json,
                                                                     const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json, origin));
  JsonSection root = document.Root();
  if (!root.Has("detections")) return std::nullopt;
  JsonSection section = root.Section("detections");
  DetectionHead head = ReadHead(section);
  CLEAVE_RETURN_IF_ERROR(document.status());
  if (const absl::Status valid = head.Validate(); !valid.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(origin, ": detections.", valid.message()));
  }
  return head;
}

absl::StatusOr<std::optional<DetectionHead>> DetectionHead::OfModel(const std::string& model_path) {
  const absl::StatusOr<Sidecar> sidecar = ReadSidecar(model_path);
  if (absl::IsNotFound(sidecar.status())) return std::nullopt;
  CLEAVE_RETURN_IF_ERROR(sidecar.status());
  return FromJson(sidecar->text, sidecar->path);
}

std::string DetectionHead::ToJson(Detail detail) const {
  nlohmann::ordered_json names = nlohmann::ordered_json::object();
  if (!outputs.predictions.empty()) names["predictions"] = outputs.predictions;
  if (!outputs.boxes.empty()) names["boxes"] = outputs.boxes;
  if (!outputs.labels.empty()) names["labels"] = outputs.labels;
  if (!outputs.count.empty()) names["count"] = outputs.count;
  if (!outputs.scores.empty()) names["scores"] = outputs.scores;
  if (!outputs.distances.empty()) names["distances"] = outputs.distances;
  nlohmann::ordered_json head = {{"kind", std::string(KindName(kind))}, {"outputs", names}};
  const DetectionHead usual = Of(kind);
  const auto add = [&](const char* key, const auto& value, const auto& usual_value) {
    if (detail == Detail::kAll || value != usual_value) head[key] = value;
  };
  if (kind == Kind::kDistribution) {
    add("strides", strides, usual.strides);
    add("reg_max", reg_max, usual.reg_max);
    add("cell_offset", cell_offset, usual.cell_offset);
  } else {
    add("box_format", std::string(NameOf(kBoxFormats, box_format)),
        NameOf(kBoxFormats, usual.box_format));
    add("normalized", normalized, usual.normalized);
  }
  add("activation", std::string(NameOf(kActivations, activation)),
      NameOf(kActivations, usual.activation));
  add("first_class", first_class, usual.first_class);
  add("score_threshold", score_threshold, usual.score_threshold);
  add("nms", std::string(NameOf(kSuppressions, suppression)),
      NameOf(kSuppressions, usual.suppression));
  add("iou_threshold", iou_threshold, usual.iou_threshold);
  add("most", most, usual.most);
  const nlohmann::ordered_json file = {{"detections", std::move(head)}};
  return file.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace cleave
