#include "device/detections.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/named_tensors.h"
#include "core/status_macros.h"
#include "detect/detections_tensor.h"
#include "detect/model_head.h"

namespace cleave {
namespace {

bool HasSpec(const std::vector<TensorSpec>& specs, const std::string& name) {
  return std::any_of(specs.begin(), specs.end(),
                     [&](const TensorSpec& spec) { return spec.name == name; });
}

bool Lacks(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) == names.end();
}

// The sides of a picture in the layout of `how`, whose shape may be other than what it was opened
// at.
ImageSize SizeOf(const Shape& input, const Preprocessing& how) {
  const std::size_t height = how.channels_first ? 2 : 1;
  return {static_cast<int>(input[height + 1]), static_cast<int>(input[height])};
}

DetectionQuery QueryFor(const LocalModel& model, const InputShapes& shapes) {
  DetectionQuery query = *model.detections;
  query.input = SizeOf(shapes.front(), *model.pictures);
  return query;
}

}  // namespace

absl::StatusOr<std::optional<DetectionQuery>> FindDetections(
    const std::string& model_path, const LocalModel& model, const DeviceOptions::Answers& answers) {
  if (answers.form != AnswerForm::kDetections || !model.pictures) return std::nullopt;
  DetectionQuery query;
  query.input = SizeOf(model.shapes().front(), *model.pictures);
  CLEAVE_ASSIGN_OR_RETURN(
      std::optional<DetectionHead> head,
      FindHead(model_path, model.main().model.table.cuts.back().tensors, query.input));
  if (!head) return std::nullopt;
  query.head = *std::move(head);
  query.head.score_threshold = answers.score_threshold.value_or(query.head.score_threshold);
  query.head.iou_threshold = answers.iou_threshold.value_or(query.head.iou_threshold);
  query.head.classes = answers.classes;
  return query;
}

std::optional<int> LastDetectingCut(const ExitModel& exit, const DetectionQuery& query) {
  const std::vector<std::string> needed = query.OutputNames();
  const std::vector<TensorSpec>& outputs = exit.graph->outputs();
  const bool detects = std::all_of(needed.begin(), needed.end(),
                                   [&](const std::string& name) { return HasSpec(outputs, name); });
  // An output of that name could not be told from detections.
  if (!detects || HasSpec(outputs, kDetectionsOutput)) return std::nullopt;
  std::optional<int> last;
  for (const int cut : exit.candidates) {
    const std::vector<std::string> before = OutputsBefore(*exit.graph, exit.table, cut);
    const bool all = std::all_of(needed.begin(), needed.end(),
                                 [&](const std::string& name) { return Lacks(before, name); });
    if (!all) break;
    last = cut;
  }
  return last;
}

std::optional<DetectionQuery> QueryAt(const LocalModel& model, const LocalExit& exit, int cut,
                                      const InputShapes& shapes) {
  if (!model.detections || !exit.last_detecting_cut || cut > *exit.last_detecting_cut) {
    return std::nullopt;
  }
  return QueryFor(model, shapes);
}

bool HoldsDetections(const LocalExit& exit, const std::vector<NamedTensor>& outputs) {
  return exit.last_detecting_cut && FindTensor(outputs, kDetectionsOutput) != nullptr;
}

absl::StatusOr<std::vector<NamedTensor>> CheckedDetections(const std::vector<NamedTensor>& outputs,
                                                           std::int64_t batch) {
  const Tensor& tensor = *FindTensor(outputs, kDetectionsOutput);
  if (const auto found = DetectionsOf(tensor, batch); !found.ok()) {
    return absl::DataLossError(absl::StrCat("output ", found.status().message()));
  }
  return std::vector<NamedTensor>{{kDetectionsOutput, tensor}};
}

absl::StatusOr<Answer> WithDetections(const LocalModel& model, const InferenceRequest& request,
                                      Answer answer) {
  const LocalExit& exit = model.exits[static_cast<std::size_t>(answer.plan.exit)];
  if (!model.detections || !exit.last_detecting_cut) return answer;
  if (answer.form == AnswerForm::kOutputs) {
    CLEAVE_ASSIGN_OR_RETURN(answer.outputs, QueryFor(model, request.shapes).Answer(answer.outputs));
    answer.form = AnswerForm::kDetections;
  }
  return answer;
}

}  // namespace cleave
