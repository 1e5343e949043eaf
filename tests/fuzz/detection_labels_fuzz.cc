// Any labels of boxes are refused, or are boxes of finite sides and known classes, which average
// precision can be computed with.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "detect/average_precision.h"
#include "detect/detection_labels.h"

namespace {

constexpr int kClasses = 3;
constexpr int kSide = 100;

void Check(const std::vector<cleave::TrueBox>& truth) {
  std::vector<cleave::Detection> found;
  for (const cleave::TrueBox& each : truth) {
    const cleave::Box& box = each.box;
    const bool sound = std::isfinite(box.x0) && std::isfinite(box.y0) && box.x0 <= box.x1 &&
                       box.y0 <= box.y1 && each.class_index >= 0 && each.class_index < kClasses;
    if (!sound) std::abort();
    found.push_back({box, each.class_index, 0.5});
  }
  cleave::AveragePrecision precision;
  precision.Add(found, truth);
  const auto mean = precision.Mean();
  if (mean && !(mean->at_50_to_95 >= 0 && mean->at_50_to_95 <= 1)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  cleave::ModelClasses classes;
  classes.count = kClasses;
  const auto yolo = cleave::ReadYoloBoxes(text, classes, {kSide, kSide}, "fuzz");
  if (yolo.ok()) Check(*yolo);
  const auto coco = cleave::DetectionLabels::FromCoco(text, classes, "fuzz");
  if (!coco.ok()) return 0;
  for (const std::string& picture : *coco->pictures()) {
    const auto boxes = coco->BoxesOf(picture, {kSide, kSide});
    if (!boxes.ok()) std::abort();
    Check(*boxes);
  }
  return 0;
}
