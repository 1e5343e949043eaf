#ifndef CLEAVE_DETECT_GUESS_HEAD_H_
#define CLEAVE_DETECT_GUESS_HEAD_H_

#include <optional>
#include <string>
#include <vector>

#include "cleave/tensor.h"
#include "codec/rgb_image.h"
#include "detect/detection_head.h"

namespace cleave {

// A head that a model seems to have.
struct GuessedHead {
  enum class Certainty {
    // The names or shapes say everything, so that the head can be used as it is.
    kUnmistakable,
    // Something is open that no shape tells, such as whether boxes are normalized; a sidecar has to
    // say it.
    kLikely,
  };

  DetectionHead head;
  Certainty certainty = Certainty::kLikely;
  int classes = 0;  // 0: the shapes do not tell.
};

// Guesses from the names and shapes of its outputs what head a model of pictures has, whose input
// has this size (a side of 0 is not known). Nothing where they look like no head that there is.
// Thread-safe.
std::optional<GuessedHead> GuessHead(const std::vector<TensorSpec>& outputs, ImageSize input);

// What the head is, for people: "YOLOv8 or YOLO11 head of 80 classes".
std::string HeadText(const GuessedHead& guess);

}  // namespace cleave

#endif  // CLEAVE_DETECT_GUESS_HEAD_H_
