#include "app/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace cleave::app {
namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 420;
constexpr double kLeft = 76;
constexpr double kRight = 70;
constexpr double kTop = 64;
constexpr double kBottom = 56;
constexpr std::array kPartColours = {"#1f5fa8", "#6aa6d8", "#e0a030",
                                     "#d1495b", "#5a9367", "#b8a1cf"};

std::string Escape(const std::string& text) {
  return absl::StrReplaceAll(text,
                             {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string Text(double x, double y, const std::string& text, absl::string_view anchor,
                 absl::string_view extra = "") {
  return absl::StrFormat("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" %s>%s</text>\n", x, y,
                         anchor, extra, Escape(text));
}

std::string Line(double x1, double y1, double x2, double y2, absl::string_view style) {
  return absl::StrFormat("<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" %s/>\n", x1, y1, x2,
                         y2, style);
}

std::string Open(double width, double height) {
  return absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
      "height=\"%.0f\" font-family=\"system-ui, sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
      width, height, width, height);
}

// A round step that parts `span` into about `parts`.
double NiceStep(double span, int parts) {
  const double raw = span / parts;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10 * power;
}

// Maps data to pixels.
struct Axis {
  double low = 0;
  double high = 1;
  double from = 0;
  double to = 1;
  bool log = false;

  double At(double value) const {
    const double a = log ? std::log10(low) : low;
    const double b = log ? std::log10(high) : high;
    const double v = log ? std::log10(std::max(value, low)) : value;
    return from + (v - a) / (b - a) * (to - from);
  }
};

Axis LeftAxis(const SvgPlot& plot) {
  double low = std::numeric_limits<double>::infinity();
  double high = 0;
  for (const SvgSeries& series : plot.left) {
    for (const SvgPoint& point : series.points) {
      low = std::min(low, point.y);
      high = std::max(high, point.y);
    }
  }
  if (plot.log_y) {
    low = std::pow(10.0, std::floor(std::log10(std::max(low, 1e-9))));
    high = std::pow(10.0, std::ceil(std::log10(std::max(high, low * 10))));
  } else {
    low = 0;
    high = high > 0 ? high * 1.05 : 1;
  }
  return {low, high, kHeight - kBottom, kTop, plot.log_y};
}

Axis BottomAxis(const SvgPlot& plot) {
  double first = std::numeric_limits<double>::infinity();
  double last = 1;
  for (const auto* side : {&plot.left, &plot.right}) {
    for (const SvgSeries& series : *side) {
      for (const SvgPoint& point : series.points) {
        first = std::min(first, point.x);
        last = std::max(last, point.x);
      }
    }
  }
  if (!plot.log_x) return {0, last, kLeft, kWidth - kRight, false};
  const double low = std::pow(10.0, std::floor(std::log10(std::clamp(first, 1e-9, last))));
  const double high = std::pow(10.0, std::ceil(std::log10(std::max(last, low * 10))));
  return {low, high, kLeft, kWidth - kRight, true};
}

std::vector<double> TicksOf(const Axis& x) {
  std::vector<double> ticks;
  if (x.log) {
    for (double value = x.low; value <= x.high * 1.001; value *= 10) ticks.push_back(value);
    return ticks;
  }
  const double step = std::max(1.0, NiceStep(x.high, 8));
  for (double value = 0; value <= x.high; value += step) ticks.push_back(value);
  return ticks;
}

std::string Draw(const SvgSeries& series, const Axis& x, const Axis& y) {
  std::string svg;
  if (series.markers_only) {
    for (const SvgPoint& point : series.points) {
      absl::StrAppendFormat(&svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"/>\n",
                            x.At(point.x), y.At(point.y), series.colour);
    }
    return svg;
  }
  svg = "<polyline fill=\"none\" stroke-width=\"1.6\" points=\"";
  for (const SvgPoint& point : series.points) {
    absl::StrAppendFormat(&svg, "%.1f,%.1f ", x.At(point.x), y.At(point.y));
  }
  absl::StrAppendFormat(&svg, "\" stroke=\"%s\"/>\n", series.colour);
  return svg;
}

std::string Grid(const Axis& y, const SvgPlot& plot) {
  std::string svg;
  const auto tick = [&](double value, const std::string& label) {
    const double at = y.At(value);
    svg += Line(kLeft, at, kWidth - kRight, at, "stroke=\"#e5e7eb\"");
    svg += Text(kLeft - 8, at + 4, label, "end");
  };
  if (y.log) {
    for (double value = y.low; value <= y.high * 1.001; value *= 10) {
      tick(value, absl::StrFormat("%g", value));
    }
  } else {
    const double step = NiceStep(y.high, 6);
    for (double value = 0; value <= y.high; value += step)
      tick(value, absl::StrFormat("%g", value));
  }
  if (plot.reference_y) {
    const double at = y.At(*plot.reference_y);
    svg += Line(kLeft, at, kWidth - kRight, at, "stroke=\"#555\" stroke-dasharray=\"5 4\"");
  }
  return svg;
}

}  // namespace

std::string RenderSvg(const SvgPlot& plot) {
  const Axis x = BottomAxis(plot);
  const Axis y = LeftAxis(plot);
  const Axis share{0, 1, kHeight - kBottom, kTop, false};

  std::string svg = Open(kWidth, kHeight);
  svg += Text(kLeft, 24, plot.title, "start", "font-size=\"16\" font-weight=\"600\"");
  svg += Grid(y, plot);
  for (const double value : TicksOf(x)) {
    svg += Text(x.At(value), kHeight - kBottom + 18, absl::StrFormat("%g", value), "middle");
  }
  svg += Text((kLeft + kWidth - kRight) / 2, kHeight - 12, plot.x_label, "middle");
  svg += Text(18, kHeight / 2, plot.y_label, "middle",
              absl::StrFormat("transform=\"rotate(-90 18 %.0f)\"", kHeight / 2));
  if (!plot.right.empty()) {
    for (const double value : {0.0, 0.25, 0.5, 0.75, 1.0}) {
      svg += Text(kWidth - kRight + 8, share.At(value) + 4, absl::StrFormat("%.0f%%", 100 * value),
                  "start");
    }
    svg += Text(kWidth - 14, kHeight / 2, plot.right_label, "middle",
                absl::StrFormat("transform=\"rotate(90 %.0f %.0f)\"", kWidth - 14, kHeight / 2));
  }
  for (const SvgSeries& series : plot.right) svg += Draw(series, x, share);
  for (const SvgSeries& series : plot.left) svg += Draw(series, x, y);
  double legend_x = kLeft;
  for (const auto* side : {&plot.left, &plot.right}) {
    for (const SvgSeries& series : *side) {
      if (series.name.empty()) continue;
      absl::StrAppendFormat(&svg,
                            "<rect x=\"%.1f\" y=\"36\" width=\"12\" height=\"12\" fill=\"%s\"/>\n",
                            legend_x, series.colour);
      svg += Text(legend_x + 17, 46, series.name, "start");
      legend_x += 40 + 6.6 * static_cast<double>(series.name.size());
    }
  }
  return svg + "</svg>\n";
}

std::string RenderSvg(const SvgBars& chart) {
  constexpr double kRow = 22;
  constexpr double kLabel = 190;
  const double height = kTop + kRow * static_cast<double>(chart.bars.size()) + kBottom;
  double longest = 0;
  for (const SvgBar& bar : chart.bars) {
    double total = 0;
    for (const double part : bar.parts) total += part;
    longest = std::max(longest, total);
  }
  if (longest <= 0) longest = 1;
  const Axis x{0, longest, kLabel, kWidth - 90, false};

  std::string svg = Open(kWidth, height);
  svg += Text(16, 24, chart.title, "start", "font-size=\"16\" font-weight=\"600\"");
  double legend_x = 16;
  for (std::size_t i = 0; i < chart.parts.size(); ++i) {
    absl::StrAppendFormat(&svg,
                          "<rect x=\"%.1f\" y=\"36\" width=\"12\" height=\"12\" fill=\"%s\"/>\n",
                          legend_x, kPartColours[i % kPartColours.size()]);
    svg += Text(legend_x + 17, 46, chart.parts[i], "start");
    legend_x += 40 + 6.6 * static_cast<double>(chart.parts[i].size());
  }
  double y = kTop;
  for (const SvgBar& bar : chart.bars) {
    double at = 0;
    for (std::size_t i = 0; i < bar.parts.size(); ++i) {
      const double width = x.At(at + bar.parts[i]) - x.At(at);
      absl::StrAppendFormat(
          &svg, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" fill=\"%s\"/>\n",
          x.At(at), y + 3, width, kRow - 6, kPartColours[i % kPartColours.size()]);
      at += bar.parts[i];
    }
    svg += Text(kLabel - 8, y + 15, bar.label, "end", bar.marked ? "font-weight=\"700\"" : "");
    svg +=
        Text(x.At(at) + 6, y + 15, absl::StrFormat("%.3g%s", at, bar.marked ? "  <- chosen" : ""),
             "start", bar.marked ? "font-weight=\"700\"" : "");
    y += kRow;
  }
  svg += Text((kLabel + kWidth - 90) / 2, height - 16, chart.x_label, "middle");
  return svg + "</svg>\n";
}

}  // namespace cleave::app
