#include "app/learning_curves.h"

#include <array>
#include <cstddef>

namespace cleave::app {
namespace {

constexpr std::array<const char*, 5> kColours = {"#1f77b4", "#d62728", "#2ca02c", "#9467bd",
                                                 "#ff7f0e"};

}  // namespace

std::string RenderLearningCurves(const std::string& title,
                                 const std::vector<LearningCurve>& curves) {
  SvgPlot plot;
  plot.title = title;
  plot.x_label = "decisions";
  plot.y_label = "score on other courses (random 0, oracle 1)";
  plot.reference_y = 1;
  for (std::size_t i = 0; i < curves.size(); ++i) {
    plot.left.push_back({.name = curves[i].name,
                         .points = curves[i].points,
                         .colour = kColours.at(i % kColours.size())});
  }
  return RenderSvg(plot);
}

}  // namespace cleave::app
