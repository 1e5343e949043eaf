#ifndef CLEAVE_APP_SVG_PLOT_H_
#define CLEAVE_APP_SVG_PLOT_H_

#include <optional>
#include <string>
#include <vector>

namespace cleave::app {

struct SvgPoint {
  double x = 0;
  double y = 0;
};

struct SvgSeries {
  std::string name;  // Empty: not in the legend.
  std::vector<SvgPoint> points;
  std::string colour;
  bool markers_only = false;
};

// A line plot with up to two y axes; the right one runs from 0 to 1 (shares).
struct SvgPlot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::string right_label;
  bool log_x = false;  // Then every x is above 0.
  bool log_y = false;
  std::optional<double> reference_y;  // A dashed line.
  std::vector<SvgSeries> left;
  std::vector<SvgSeries> right;
};
std::string RenderSvg(const SvgPlot& plot);

// Horizontal bars made of parts, one bar for each label: where the time of each cut goes.
struct SvgBar {
  std::string label;
  std::vector<double> parts;  // One for each of SvgBars::parts.
  bool marked = false;        // The winner.
};
struct SvgBars {
  std::string title;
  std::string x_label;
  std::vector<std::string> parts;
  std::vector<SvgBar> bars;
};
std::string RenderSvg(const SvgBars& chart);

}  // namespace cleave::app

#endif  // CLEAVE_APP_SVG_PLOT_H_
