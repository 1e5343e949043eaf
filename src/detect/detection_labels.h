#ifndef CLEAVE_DETECT_DETECTION_LABELS_H_
#define CLEAVE_DETECT_DETECTION_LABELS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "codec/rgb_image.h"
#include "detect/average_precision.h"

namespace cleave {

// The names and the number of a model's classes, as far as they are known.
struct ModelClasses {
  std::vector<std::string> names;  // By index; may be empty.
  std::optional<int> count;
};

// Says which objects are in which picture. Immutable; thread-safe.
class DetectionLabels {
 public:
  // Opens a file in COCO's JSON format ("images", "annotations" with "bbox" as left, upper, width
  // and height in pixels, "categories"), or a folder of YOLO's text files, one for each picture
  // with lines "class centre-x centre-y width height" in shares of the picture's sides. A COCO
  // category is the model's class of the same name (without regard to case); where the model's
  // classes have no names, categories are numbered in the order of their ids. InvalidArgument or
  // NotFound names file, field, what was found and what was expected.
  static absl::StatusOr<DetectionLabels> Open(const std::string& path, const ModelClasses& classes);
  // Reads the text of a file in COCO's JSON format, which `origin` names in errors.
  static absl::StatusOr<DetectionLabels> FromCoco(absl::string_view text,
                                                  const ModelClasses& classes,
                                                  const std::string& origin);

  // The names of the pictures that the labels tell of, sorted; nothing where each picture is looked
  // for by its own name (YOLO).
  const std::optional<std::vector<std::string>>& pictures() const { return pictures_; }

  // Returns the objects of a picture of this name, as `pictures` has it, and this upright size;
  // none where the labels know of none. Errors are those of Open, for YOLO's text files.
  absl::StatusOr<std::vector<TrueBox>> BoxesOf(const std::string& picture, ImageSize upright) const;

 private:
  absl::Status ReadCoco(absl::string_view text, const std::string& origin);

  ModelClasses classes_;
  std::string folder_;  // YOLO's; empty for COCO.
  std::optional<std::vector<std::string>> pictures_;
  std::map<std::string, std::vector<TrueBox>> boxes_;  // By picture's name (COCO).
};

// Reads the lines of one of YOLO's text files; `origin` names it in errors. InvalidArgument names
// the line: not five numbers, a class beyond those of the model, a share outside of 0 to 1.
absl::StatusOr<std::vector<TrueBox>> ReadYoloBoxes(absl::string_view text,
                                                   const ModelClasses& classes, ImageSize upright,
                                                   const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_DETECT_DETECTION_LABELS_H_
