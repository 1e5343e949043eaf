#ifndef CLEAVE_APP_DETECTOR_H_
#define CLEAVE_APP_DETECTOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "app/input_source.h"
#include "cleave/device.h"
#include "cleave/tensor.h"
#include "codec/preprocessing.h"
#include "detect/detection.h"
#include "detect/detection_head.h"

namespace cleave::app {

struct DetectorOptions {
  std::string model_path;           // Whose sidecar says how outputs become detections.
  PreprocessingFlags flags;         // How pictures become the input, as the run has it.
  std::vector<std::string> labels;  // Names of the classes, by index; may be empty.
  // In place of what the sidecar says.
  std::optional<double> score_threshold;
  std::optional<double> iou_threshold;
};

// Finds the detections in the outputs of one model. Thread-safe.
class Detector {
 public:
  // Nothing for a model that cannot be a detector: its sidecar says so, or it says nothing and the
  // model has other inputs than one picture. Errors are those of DetectionHead, its Validate and
  // PreprocessingFor; InvalidArgument for a sidecar with detections and such inputs.
  static absl::StatusOr<std::optional<Detector>> Open(const std::vector<TensorSpec>& inputs,
                                                      const DetectorOptions& options);

  // Returns the detections of each of the `items` items, in pixels of their upright pictures; of
  // the model's input where there are no `pictures`. Without a word of the sidecar, outputs whose
  // head is unmistakable are decoded; for any other nothing is returned. Errors are those of Decode
  // and MapInputToPicture. Where a device has made detections of the outputs (`form`), those are
  // returned.
  absl::StatusOr<std::optional<BatchDetections>> Find(const std::vector<NamedTensor>& outputs,
                                                      const std::vector<PictureFile>& pictures,
                                                      std::int64_t items,
                                                      AnswerForm form = AnswerForm::kOutputs) const;

 private:
  // In the pixels of the model's input.
  absl::StatusOr<std::optional<BatchDetections>> FindInInput(
      const std::vector<NamedTensor>& outputs, std::int64_t items, AnswerForm form) const;
  std::optional<DetectionHead> HeadOf(const std::vector<NamedTensor>& outputs) const;

  DetectorOptions options_;
  Preprocessing how_;
  std::optional<DetectionHead> said_;  // By the sidecar.
};

// What a model's outputs are, as far as that is known without running it.
struct ModelKind {
  enum class Source { kSidecar, kShapes };

  std::string text;  // "a YOLOv8 or YOLO11 head of 80 classes", "scores of 10 classes"; or empty.
  Source source = Source::kShapes;
  // Whether `cleave run` gives detections.
  bool detects = false;
  // What a sidecar would say, as JSON; empty for a model that is no detector.
  std::string sidecar;
};

// How the outputs of a model become detections, as its sidecar says or as they unmistakably look;
// nothing for a model that is no detector. Errors are those of Detector::Open.
absl::StatusOr<std::optional<DetectionHead>> HeadOfModel(const std::string& model_path,
                                                         const std::vector<TensorSpec>& inputs,
                                                         const std::vector<TensorSpec>& outputs);

// Says what kind a model is believed to be. Errors are those of Detector::Open.
absl::StatusOr<ModelKind> KindOfModel(const std::string& model_path,
                                      const std::vector<TensorSpec>& inputs,
                                      const std::vector<TensorSpec>& outputs);

// The same for people, a line or two with their ends; empty where nothing is known.
std::string KindLines(const ModelKind& kind);

}  // namespace cleave::app

#endif  // CLEAVE_APP_DETECTOR_H_
