#include "detect/detection_query.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "core/json_section.h"
#include "core/status_macros.h"
#include "detect/decode.h"
#include "detect/detections_tensor.h"

namespace cleave {
namespace {

constexpr int kMostPixelsOfASide = 1 << 16;

// What the query says besides its head.
struct Rest {
  ImageSize input;
  std::optional<int> classes;
};

absl::StatusOr<Rest> ReadRest(absl::string_view json, const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(JsonDocument document, JsonDocument::Parse(json, origin));
  JsonSection root = document.Root();
  root.Only({"detections", "input", "classes"});
  Rest rest;
  if (root.Has("classes")) root.Whole("classes", 1, kMostClasses, rest.classes.emplace());
  JsonSection section = root.Section("input");
  section.Whole("width", 1, kMostPixelsOfASide, rest.input.width);
  section.Whole("height", 1, kMostPixelsOfASide, rest.input.height);
  section.Finish();
  CLEAVE_RETURN_IF_ERROR(document.status());
  return rest;
}

}  // namespace

std::vector<std::string> DetectionQuery::OutputNames() const {
  std::vector<std::string> names = head.outputs.scores;
  names.insert(names.end(), head.outputs.distances.begin(), head.outputs.distances.end());
  for (const std::string* name : {&head.outputs.predictions, &head.outputs.boxes,
                                  &head.outputs.labels, &head.outputs.count}) {
    if (!name->empty()) names.push_back(*name);
  }
  return names;
}

absl::StatusOr<std::vector<NamedTensor>> DetectionQuery::Answer(
    const std::vector<NamedTensor>& outputs) const {
  CLEAVE_ASSIGN_OR_RETURN(const BatchDetections found, DecodeInInput(outputs, head, input));
  return std::vector<NamedTensor>{{kDetectionsOutput, DetectionsTensor(found)}};
}

absl::StatusOr<DetectionQuery> DetectionQuery::FromJson(absl::string_view json,
                                                        const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(const Rest rest, ReadRest(json, origin));
  CLEAVE_ASSIGN_OR_RETURN(std::optional<DetectionHead> head, DetectionHead::FromJson(json, origin));
  if (!head || head->kind == DetectionHead::Kind::kNone) {
    return FieldError(origin, "no detections", "a head that makes some");
  }
  head->classes = rest.classes;
  return DetectionQuery{*std::move(head), rest.input};
}

std::string DetectionQuery::ToJson() const {
  const std::string json = head.ToJson(DetectionHead::Detail::kChanged);
  std::string query =
      absl::StrCat(absl::StripSuffix(json, "}\n"), ",\"input\":{\"width\":", input.width,
                   ",\"height\":", input.height, "}");
  if (head.classes) absl::StrAppend(&query, ",\"classes\":", *head.classes);
  return query + "}";
}

}  // namespace cleave
