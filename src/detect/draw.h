#ifndef CLEAVE_DETECT_DRAW_H_
#define CLEAVE_DETECT_DRAW_H_

#include <string>
#include <vector>

#include "codec/rgb_image.h"
#include "detect/detection.h"

namespace cleave {

// The name of a class, or "class 7" where `labels` has none.
std::string ClassName(int class_index, const std::vector<std::string>& labels);

// Draws each detection into the upright picture that it was found in: its box, and at its upper
// edge the name and the score in percent. The class chooses the colour; lines and letters grow with
// the picture. Highest scores are drawn last, so that nothing hides them. A character that is not
// ASCII becomes a question mark. Whatever lies outside of the picture is cut off. Thread-safe.
void DrawDetections(const std::vector<Detection>& detections,
                    const std::vector<std::string>& labels, RgbImage& picture);

}  // namespace cleave

#endif  // CLEAVE_DETECT_DRAW_H_
