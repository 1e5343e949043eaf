#include "detect/detection_head.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "codec/preprocessing.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

using Kind = DetectionHead::Kind;
using Outputs = DetectionHead::Outputs;

constexpr std::size_t kMostNameBytes = 1024;
constexpr int kMostRegMax = 255;

std::string Found(const std::vector<std::string>& names) {
  return names.empty() ? "nothing" : absl::StrCat(names.size(), " names");
}

absl::Status CheckUnset(absl::string_view field, bool unset, Kind kind) {
  if (unset) return absl::OkStatus();
  return FieldError(field, "a name", absl::StrCat("none for kind ", KindName(kind)));
}

absl::Status CheckNames(absl::string_view field, const std::vector<std::string>& names,
                        std::size_t most) {
  if (names.empty() || names.size() > most) {
    return FieldError(field, Found(names), most == 1 ? "the name of an output" : "1 to 8 names");
  }
  for (const std::string& name : names) {
    if (name.empty() || name.size() > kMostNameBytes) {
      return FieldError(field, absl::StrCat("a name of ", name.size(), " bytes"), "1 to 1024");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view field, const std::string& name) {
  if (name.empty()) return FieldError(field, "nothing", "the name of an output");
  return CheckNames(field, {name}, 1);
}

// What holds for outputs that are one tensor.
absl::Status CheckPredictions(const Outputs& outputs, Kind kind) {
  CLEAVE_RETURN_IF_ERROR(CheckName("outputs.predictions", outputs.predictions));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.boxes", outputs.boxes.empty(), kind));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.labels", outputs.labels.empty(), kind));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.count", outputs.count.empty(), kind));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.scores", outputs.scores.empty(), kind));
  return CheckUnset("outputs.distances", outputs.distances.empty(), kind);
}

absl::Status CheckBoxes(const Outputs& outputs, Kind kind) {
  CLEAVE_RETURN_IF_ERROR(CheckName("outputs.boxes", outputs.boxes));
  CLEAVE_RETURN_IF_ERROR(CheckNames("outputs.scores", outputs.scores, 1));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.predictions", outputs.predictions.empty(), kind));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.distances", outputs.distances.empty(), kind));
  if (kind == Kind::kBoxesScoresLabels) {
    if (!outputs.count.empty()) CLEAVE_RETURN_IF_ERROR(CheckName("outputs.count", outputs.count));
    return CheckName("outputs.labels", outputs.labels);
  }
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.labels", outputs.labels.empty(), kind));
  return CheckUnset("outputs.count", outputs.count.empty(), kind);
}

absl::Status CheckDistribution(const Outputs& outputs, std::size_t strides) {
  CLEAVE_RETURN_IF_ERROR(CheckNames("outputs.scores", outputs.scores, kMostStrides));
  CLEAVE_RETURN_IF_ERROR(CheckNames("outputs.distances", outputs.distances, kMostStrides));
  CLEAVE_RETURN_IF_ERROR(
      CheckUnset("outputs.predictions", outputs.predictions.empty(), Kind::kDistribution));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.boxes", outputs.boxes.empty(), Kind::kDistribution));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.labels", outputs.labels.empty(), Kind::kDistribution));
  CLEAVE_RETURN_IF_ERROR(CheckUnset("outputs.count", outputs.count.empty(), Kind::kDistribution));
  const auto check = [&](absl::string_view field,
                         const std::vector<std::string>& names) -> absl::Status {
    if (names.size() == 1 || names.size() == strides) return absl::OkStatus();
    return FieldError(field, Found(names), absl::StrCat("1, or ", strides, ", one for a stride"));
  };
  CLEAVE_RETURN_IF_ERROR(check("outputs.scores", outputs.scores));
  return check("outputs.distances", outputs.distances);
}

absl::Status CheckOutputs(const DetectionHead& head) {
  const Outputs& outputs = head.outputs;
  switch (head.kind) {
    case Kind::kNone:
      return absl::OkStatus();
    case Kind::kYoloV5:
    case Kind::kYoloV8:
      return CheckPredictions(outputs, head.kind);
    case Kind::kBoxesScoresLabels:
      if (!outputs.predictions.empty()) return CheckPredictions(outputs, head.kind);
      return CheckBoxes(outputs, head.kind);
    case Kind::kBoxesScoresPerClass:
      return CheckBoxes(outputs, head.kind);
    case Kind::kDistribution:
      if (!outputs.predictions.empty()) return CheckPredictions(outputs, head.kind);
      return CheckDistribution(outputs, head.strides.size());
  }
  return absl::OkStatus();
}

absl::Status CheckStrides(const std::vector<int>& strides) {
  if (strides.empty() || strides.size() > kMostStrides) {
    return FieldError("strides", strides.size(), absl::StrCat("1 to ", kMostStrides));
  }
  for (const int stride : strides) {
    CLEAVE_RETURN_IF_ERROR(CheckRange("strides", stride, 1, kMaxImageSide));
  }
  const bool ascending =
      std::adjacent_find(strides.begin(), strides.end(),
                         [](int before, int after) { return before >= after; }) == strides.end();
  if (ascending) return absl::OkStatus();
  return FieldError("strides", absl::StrJoin(strides, ", "), "them in ascending order");
}

}  // namespace

DetectionHead DetectionHead::Of(Kind kind) {
  DetectionHead head;
  head.kind = kind;
  if (kind == Kind::kYoloV5 || kind == Kind::kYoloV8) head.box_format = BoxFormat::kCxcywh;
  if (kind == Kind::kBoxesScoresLabels) head.suppression = Suppression::kNone;
  return head;
}

absl::Status DetectionHead::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckStrides(strides));
  CLEAVE_RETURN_IF_ERROR(CheckOutputs(*this));
  CLEAVE_RETURN_IF_ERROR(CheckRange("first_class", first_class, 0, kMostClasses));
  CLEAVE_RETURN_IF_ERROR(CheckRange("reg_max", reg_max, 1, kMostRegMax));
  CLEAVE_RETURN_IF_ERROR(CheckRange("cell_offset", cell_offset, 0.0, 1.0));
  CLEAVE_RETURN_IF_ERROR(CheckRange("score_threshold", score_threshold, 0.0, 1.0));
  CLEAVE_RETURN_IF_ERROR(CheckRange("iou_threshold", iou_threshold, 0.0, 1.0));
  CLEAVE_RETURN_IF_ERROR(CheckRange("most", most, 1, kMostDetections));
  if (kind == Kind::kBoxesScoresLabels && activation == Activation::kSoftmax) {
    return FieldError("activation", "softmax", "none or sigmoid where each box has one score");
  }
  return absl::OkStatus();
}

}  // namespace cleave
