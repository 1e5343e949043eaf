#ifndef CLEAVE_APP_CALIBRATION_SCORE_H_
#define CLEAVE_APP_CALIBRATION_SCORE_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "app/samples.h"
#include "cleave/tensor.h"
#include "codec/preprocessing.h"
#include "profile/accuracy_table.h"
#include "runtime/exit_models.h"

namespace cleave::app {

// What calibration scores: an exit, the boundary of its chain that is sent, and how.
struct ScoredPlan {
  int exit = 0;
  int boundary = 0;
  Encoding encoding = Encoding::kFp32;

  friend bool operator<(const ScoredPlan& a, const ScoredPlan& b) {
    return std::tie(a.exit, a.boundary, a.encoding) < std::tie(b.exit, b.boundary, b.encoding);
  }
};

// Says how good the outputs of each plan are, over batches of samples. There is one for models
// whose outputs are classes and one for detectors. Thread-compatible.
class CalibrationScore {
 public:
  // The one for what the outputs of these exits are: detections where the sidecar says so or the
  // shapes are unmistakable (docs/detection.md), else classes. InvalidArgument where an exit's
  // outputs are neither, or the exits differ in the number of classes. `how` is how pictures become
  // the model's input.
  static absl::StatusOr<std::unique_ptr<CalibrationScore>> Create(
      const std::string& model_path, const std::vector<ExitModel>& exits, const Preprocessing& how);
  virtual ~CalibrationScore() = default;

  virtual AccuracyTable::Metric metric() const = 0;
  // The largest batch that the outputs can be told apart in.
  virtual std::size_t largest_batch() const = 0;
  // Draws the samples, and knows from then on where their labels are.
  virtual absl::StatusOr<SampleSet> Draw(const SampleOptions& options) = 0;
  // Begins a batch, of which `exact` are the last exit's outputs in full precision: they are the
  // truth where there are no labels.
  virtual absl::Status Begin(std::span<const Sample> samples,
                             std::span<const SampleContents> contents,
                             const std::vector<NamedTensor>& exact) = 0;
  // The label of the batch's sample in a text, for digests; "-1" without labels.
  virtual std::string LabelText(std::size_t sample) const = 0;
  // Adds what comes out of the batch under a plan.
  virtual absl::Status Add(const ScoredPlan& plan, const std::vector<NamedTensor>& outputs) = 0;
  // Sets a row's accuracy to that of a plan which was added for every batch. InvalidArgument where
  // there is nothing to find in any sample.
  virtual absl::Status Rate(const ScoredPlan& plan, AccuracyRow& row) const = 0;
};

// The score of a detector (calibration_detections.cc): mean average precision by COCO's definition
// (detect/average_precision.h) against labels in COCO's JSON format or YOLO's text files, or
// without labels against what the model itself detects in full precision.
absl::StatusOr<std::unique_ptr<CalibrationScore>> NewDetectionScore(
    const std::string& model_path, const std::vector<ExitModel>& exits, const Preprocessing& how);

}  // namespace cleave::app

#endif  // CLEAVE_APP_CALIBRATION_SCORE_H_
