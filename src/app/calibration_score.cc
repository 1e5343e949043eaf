#include "app/calibration_score.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "app/detector.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::app {
namespace {

std::vector<int> Largest(const Tensor& logits, int classes) {
  std::vector<int> said;
  const std::span<const float> values = logits.floats();
  for (std::size_t at = 0; at < values.size(); at += static_cast<std::size_t>(classes)) {
    const auto row = values.subspan(at, static_cast<std::size_t>(classes));
    said.push_back(static_cast<int>(std::max_element(row.begin(), row.end()) - row.begin()));
  }
  return said;
}

// The number of logits, which is the same for all exits.
absl::StatusOr<int> CountClasses(const std::string& model, const std::vector<ExitModel>& exits) {
  int classes = 0;
  for (const ExitModel& exit : exits) {
    const std::vector<TensorSpec>& outputs = exit.table.cuts.back().tensors;
    const std::string at = absl::StrCat(model, ": exit ", exit.exit());
    const bool logits = outputs.size() == 1 && outputs.front().dtype == DataType::kFloat32 &&
                        outputs.front().shape.size() == 2;
    if (!logits) {
      return FieldError(at,
                        absl::StrCat(outputs.size(), " outputs, the first of shape ",
                                     ShapeString(outputs.front().shape)),
                        "FP32 logits, batch x classes, or a detector's outputs, as the sidecar's "
                        "\"detections\" tell");
    }
    const int found = static_cast<int>(outputs.front().shape[1]);
    if (classes != 0 && found != classes) {
      return FieldError(at, absl::StrCat(found, " logits"),
                        absl::StrCat(classes, " as exit 0 has"));
    }
    classes = found;
  }
  return classes;
}

// The share of samples whose largest logit is the right one.
class ClassScore : public CalibrationScore {
 public:
  ClassScore(int classes, Preprocessing how) : classes_(classes), how_(how) {}

  AccuracyTable::Metric metric() const override { return AccuracyTable::Metric::kTop1; }
  std::size_t largest_batch() const override { return 4096; }

  absl::StatusOr<SampleSet> Draw(const SampleOptions& options) override {
    return DrawSamples(options, how_, classes_);
  }

  absl::Status Begin(std::span<const Sample> samples, std::span<const SampleContents> /*contents*/,
                     const std::vector<NamedTensor>& exact) override {
    labelled_ = samples.front().label.has_value();
    truth_ = Largest(exact.front().tensor, classes_);
    for (std::size_t i = 0; labelled_ && i < samples.size(); ++i) truth_[i] = *samples[i].label;
    return absl::OkStatus();
  }

  std::string LabelText(std::size_t sample) const override {
    return absl::StrCat(labelled_ ? truth_[sample] : -1);
  }

  absl::Status Add(const ScoredPlan& plan, const std::vector<NamedTensor>& outputs) override {
    const std::vector<int> said = Largest(outputs.front().tensor, classes_);
    std::int64_t& right = right_[plan];
    for (std::size_t i = 0; i < truth_.size(); ++i) right += said[i] == truth_[i] ? 1 : 0;
    return absl::OkStatus();
  }

  absl::Status Rate(const ScoredPlan& plan, AccuracyRow& row) const override {
    const auto found = right_.find(plan);
    row.right = found == right_.end() ? 0 : found->second;
    return absl::OkStatus();
  }

 private:
  const int classes_;
  const Preprocessing how_;
  bool labelled_ = false;
  std::vector<int> truth_;  // Of the batch at hand.
  std::map<ScoredPlan, std::int64_t> right_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CalibrationScore>> CalibrationScore::Create(
    const std::string& model_path, const std::vector<ExitModel>& exits, const Preprocessing& how) {
  const CutTable& last = exits.back().table;
  CLEAVE_ASSIGN_OR_RETURN(const std::optional<DetectionHead> head,
                          HeadOfModel(model_path, last.inputs.specs, last.cuts.back().tensors));
  if (head) return NewDetectionScore(model_path, exits, how);
  CLEAVE_ASSIGN_OR_RETURN(const int classes, CountClasses(model_path, exits));
  return std::make_unique<ClassScore>(classes, how);
}

}  // namespace cleave::app
