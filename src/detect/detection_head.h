#ifndef CLEAVE_DETECT_DETECTION_HEAD_H_
#define CLEAVE_DETECT_DETECTION_HEAD_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// The most objects of one picture that a head may give.
inline constexpr int kMostDetections = 4096;
// The most strides of a head.
inline constexpr std::size_t kMostStrides = 8;
// The most classes that have a column of scores.
inline constexpr int kMostClasses = 1 << 20;

// Says how the outputs of a model become detections (docs/detection.md). N is the batch size, K a
// number of boxes, C a number of classes. A plain value.
struct DetectionHead {
  enum class Kind {
    // The outputs are no detections, whatever their shapes look like.
    kNone,
    // Boxes [N, K, 4], scores [N, K] and labels [N, K] as they are, as SSDs and torchvision's
    // detectors with their suppression inside give them; without the dimension N for a batch of 1.
    // Or predictions [N, K, 6], whose rows are a box, its score and its label, as YOLOv10.
    kBoxesScoresLabels,
    // Boxes [N, K, 4] and the scores of each class, [N, K, C].
    kBoxesScoresPerClass,
    // Predictions [N, K, 5 + C]: box, score of there being an object, scores of the classes (YOLOv5
    // and YOLOv7).
    kYoloV5,
    // Predictions [N, 4 + C, K]: box, scores of the classes (YOLOv8 and YOLO11).
    kYoloV8,
    // Each point of a grid has the scores of the classes and, for each edge of its box, a
    // distribution over the distances 0 to reg_max in strides (Generalized Focal Loss, arXiv
    // 2006.04388; NanoDet; PicoDet, arXiv 2111.00902). There are grids of several strides.
    kDistribution,
  };
  // What the four numbers of a box are, in their order.
  enum class BoxFormat {
    kXyxy,    // Left, upper, right and lower edge.
    kYxyx,    // Upper, left, lower and right edge, as TensorFlow has it.
    kXywh,    // Left and upper edge, width and height.
    kCxcywh,  // Centre, width and height.
  };
  // What makes a score of 0 to 1 of an output. Softmax is over the classes.
  enum class Activation { kNone, kSigmoid, kSoftmax };
  // Which boxes give way to one of a higher score that they overlap.
  enum class Suppression {
    kNone,   // None do; the model has done it.
    kClass,  // Those of the same class.
  };

  // The names of the model's outputs. Which of them are set depends on the kind.
  struct Outputs {
    std::string predictions;             // YOLO, and for others if one tensor holds everything.
    std::string boxes;                   // Boxes with scores.
    std::string labels;                  // kBoxesScoresLabels.
    std::string count;                   // kBoxesScoresLabels, perhaps: how many boxes hold, [N].
    std::vector<std::string> scores;     // One name; kDistribution: one for each stride, or one.
    std::vector<std::string> distances;  // kDistribution: as many as scores.
  };

  Kind kind = Kind::kNone;
  Outputs outputs;
  BoxFormat box_format = BoxFormat::kXyxy;
  bool normalized = false;  // Boxes are shares of the input's sides, and not in its pixels.
  Activation activation = Activation::kNone;
  // The class that has the first name. Those below it, such as a background, are left out.
  int first_class = 0;

  // kDistribution: the pixels of the input from one point of a grid to the next, ascending; the
  // largest distance in strides; and where in its cell a point lies, from 0 (its upper left corner)
  // to 1 in both directions.
  std::vector<int> strides = {8, 16, 32};
  int reg_max = 7;
  double cell_offset = 0.5;

  double score_threshold = 0.25;  // Boxes with a lower score are left out. 0 to 1.
  Suppression suppression = Suppression::kClass;
  double iou_threshold = 0.45;  // An overlap above this share of the union suppresses. 0 to 1.
  int most = 300;               // Detections of one picture, those of the highest scores.

  // How many classes have names; if that is known, scores have to be of as many (and first_class).
  // It is not part of the JSON.
  std::optional<int> classes;

  // A head of this kind, with the defaults that are usual for it: boxes in the format of the kind,
  // and no suppression where the model has done it.
  static DetectionHead Of(Kind kind);

  // InvalidArgument names the field (as it is called in the JSON), what was found and what was
  // expected: numbers out of range, or a set of outputs that is not the kind's.
  absl::Status Validate() const;

  // Reads the object "detections" of a sidecar's JSON: {"kind", "outputs": {"predictions", "boxes",
  // "labels", "count", "scores", "distances"}, "box_format", "normalized", "activation",
  // "first_class", "strides", "reg_max", "cell_offset", "score_threshold", "nms", "iou_threshold",
  // "most"}. All but the kind and the names that it needs is optional. Nothing where there is no
  // such object. InvalidArgument names `origin`, field, what was found and what was expected;
  // unknown fields are refused.
  static absl::StatusOr<std::optional<DetectionHead>> FromJson(absl::string_view json,
                                                               const std::string& origin);
  // The same of the sidecar beside a model; nothing where there is no sidecar.
  static absl::StatusOr<std::optional<DetectionHead>> OfModel(const std::string& model_path);
  // Which fields a JSON has.
  enum class Detail {
    kAll,      // Every one that the kind has.
    kChanged,  // Those that are not as `Of` sets them.
  };
  // Returns the JSON that FromJson reads back as the same value.
  std::string ToJson(Detail detail = Detail::kAll) const;
};

// The kind as the sidecar calls it: "yolo_v8".
absl::string_view KindName(DetectionHead::Kind kind);

}  // namespace cleave

#endif  // CLEAVE_DETECT_DETECTION_HEAD_H_
