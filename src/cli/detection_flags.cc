#include "cli/detection_flags.h"

#include "absl/strings/str_cat.h"
#include "codec/class_labels.h"
#include "core/status_macros.h"

namespace cleave::cli {

void DetectionFlags::AddTo(CLI::App& command) {
  command
      .add_option("--labels", labels,
                  "File with the name of a class on each line (default: \"labels\" in the model's "
                  "sidecar)")
      ->type_name("FILE");
  command.add_option("--score-threshold", score_threshold,
                     "Detectors: lowest score of an object, 0 to 1 (default: the sidecar's, or "
                     "0.25)");
  command.add_option("--iou-threshold", iou_threshold,
                     "Detectors: overlap above which the better of two boxes of a class stays "
                     "alone, 0 to 1 (default: the sidecar's, or 0.45)");
}

absl::StatusOr<NamedClasses> DetectionFlags::ReadLabels(const std::string& model) const {
  NamedClasses names;
  if (labels.empty()) {
    CLEAVE_ASSIGN_OR_RETURN(names.labels, ClassLabelsOfModel(model));
    names.origin = absl::StrCat(model, ": labels of its sidecar");
  } else {
    CLEAVE_ASSIGN_OR_RETURN(names.labels, ReadClassLabels(labels));
    names.origin = labels;
  }
  return names;
}

app::DetectorOptions DetectionFlags::Detector(const std::string& model,
                                              const std::vector<std::string>& names) const {
  return {.model_path = model,
          .flags = {},
          .labels = names,
          .score_threshold = score_threshold,
          .iou_threshold = iou_threshold};
}

DeviceOptions::Answers DetectionFlags::Answers(const std::vector<std::string>& names) const {
  DeviceOptions::Answers answers{.form = AnswerForm::kDetections,
                                 .score_threshold = score_threshold,
                                 .iou_threshold = iou_threshold,
                                 .classes = std::nullopt};
  if (!names.empty()) answers.classes = static_cast<int>(names.size());
  return answers;
}

}  // namespace cleave::cli
