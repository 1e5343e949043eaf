#ifndef CLEAVE_APP_LEARNING_CURVES_H_
#define CLEAVE_APP_LEARNING_CURVES_H_

#include <string>
#include <vector>

#include "app/svg_plot.h"

namespace cleave::app {

// How well one seed's policy did while it learned.
struct LearningCurve {
  std::string name;
  // x is the number of decisions learned from; y is the score, 0 for a random choice and 1 for the
  // oracle's.
  std::vector<SvgPoint> points;
};

// Draws the curves over each other, each in a colour of its own as long as there are at most five.
// Thread-safe.
std::string RenderLearningCurves(const std::string& title,
                                 const std::vector<LearningCurve>& curves);

}  // namespace cleave::app

#endif  // CLEAVE_APP_LEARNING_CURVES_H_
