#include "app/calibrate_report.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/svg_plot.h"
#include "core/text_table.h"
#include "core/units.h"

namespace cleave::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array kColours = {"#1f5fa8", "#d1495b", "#5a9367", "#e0a030", "#7a5195", "#444444"};

double SmallestBytes(const AccuracyRow& row) {
  return row.entropy_bytes > 0 ? std::min(row.bytes, row.entropy_bytes) : row.bytes;
}

// To full precision at the same cut; 0 for the plan that sends nothing.
double Ratio(const AccuracyTable& table, const AccuracyRow& row) {
  const AccuracyRow* full = table.Find({row.plan.exit, row.plan.cut, Encoding::kFp32});
  return full == nullptr || full->bytes <= 0 ? 0 : SmallestBytes(row) / full->bytes;
}

std::vector<Encoding> EncodingsOf(const AccuracyTable& table) {
  std::vector<Encoding> present;
  for (const Encoding encoding : AllEncodings()) {
    const bool has = std::any_of(table.rows().begin(), table.rows().end(),
                                 [&](const AccuracyRow& r) { return r.plan.encoding == encoding; });
    if (has) present.push_back(encoding);
  }
  return present;
}

std::string Cell(const AccuracyTable& table, const Plan& plan) {
  const AccuracyRow* row = table.Find(plan);
  if (row == nullptr) return "-";
  std::string accuracy = absl::StrFormat("%.1f", 100 * table.AccuracyOf(*row));
  if (row->detection) absl::StrAppendFormat(&accuracy, "/%.1f", 100 * row->detection->at_50);
  if (row->bytes <= 0) return accuracy;
  return absl::StrFormat("%s x%.3f", accuracy, Ratio(table, *row));
}

bool Detects(const AccuracyTable& table) {
  return table.about().metric == AccuracyTable::Metric::kMeanAveragePrecision;
}

// What the accuracy is, after a "%".
std::string MetricText(const AccuracyTable& table) {
  const bool labels = table.about().labels;
  if (Detects(table)) {
    return absl::StrCat("mean average precision at IoU 0.5 to 0.95 / at 0.5, against ",
                        labels ? "labels" : "the model's own detections in full precision");
  }
  return labels ? "right" : "in agreement with the last exit in full precision";
}

double WidestHalf(const AccuracyTable& table) {
  double widest = 0;
  for (const AccuracyRow& row : table.rows()) {
    const ShareInterval interval = table.IntervalOf(row);
    widest = std::max(widest, (interval.high - interval.low) / 2);
  }
  return widest;
}

}  // namespace

std::string CalibrationJson(const Calibration& calibration) {
  const AccuracyTable& table = calibration.table;
  const AccuracyTable::About& about = table.about();
  Json rows = Json::array();
  for (const AccuracyRow& row : table.rows()) {
    const ShareInterval interval = table.IntervalOf(row);
    Json json = {{"exit", row.plan.exit},
                 {"cut", row.plan.cut},
                 {"encoding", std::string(EncodingName(row.plan.encoding))},
                 {"accuracy", table.AccuracyOf(row)},
                 {"low", interval.low},
                 {"high", interval.high}};
    if (row.detection) {
      json["accuracy_at_50"] = row.detection->at_50;
    } else {
      json["right"] = row.right;
    }
    json["bytes"] = row.bytes;
    json["entropy_bytes"] = row.entropy_bytes;
    json["ratio"] = Ratio(table, row);
    rows.push_back(std::move(json));
  }
  const Json report = {{"model", calibration.model},
                       {"digest", about.model_digest},
                       {"data_digest", about.data_digest},
                       {"samples", about.samples},
                       {"seed", about.seed},
                       {"labels", about.labels},
                       {"metric", std::string(AccuracyTable::MetricName(about.metric))},
                       {"exits", calibration.exits},
                       {"rows", rows}};
  return report.dump() + "\n";
}

std::string CalibrationText(const Calibration& calibration) {
  const AccuracyTable& table = calibration.table;
  const AccuracyTable::About& about = table.about();
  const std::vector<Encoding> encodings = EncodingsOf(table);
  const std::string text = absl::StrFormat(
      "%s, sha256 %s\n%d samples (seed %d), data %s\nIn each cell: %% %s (95%% within +-%.1f), "
      "x bytes to fp32's at that cut, compressed if smaller\n\n",
      calibration.model, about.model_digest.substr(0, 12), about.samples, about.seed,
      about.data_digest.substr(0, 12), MetricText(table), 100 * WidestHalf(table));
  std::vector<TextTable::Column> columns = {{"exit", TextTable::Align::kLeft}, {"cut"}, {"bytes"}};
  for (const Encoding encoding : encodings) {
    columns.push_back({std::string(EncodingName(encoding))});
  }
  TextTable cells(std::move(columns));
  for (const AccuracyRow& row : table.rows()) {
    if (row.plan.encoding != Encoding::kFp32) continue;
    std::vector<std::string> line = {calibration.exits[row.plan.exit].substr(0, 12),
                                     absl::StrCat(row.plan.cut),
                                     row.bytes > 0 ? FormatBytes(row.bytes) : "device"};
    for (const Encoding encoding : encodings) {
      line.push_back(Cell(table, {row.plan.exit, row.plan.cut, encoding}));
    }
    cells.Add(std::move(line));
  }
  return text + cells.Text();
}

std::string CalibrationSvg(const Calibration& calibration) {
  const AccuracyTable& table = calibration.table;
  SvgPlot plot;
  plot.title = absl::StrCat("Accuracy against bytes, ", table.about().samples, " samples");
  plot.x_label = "bytes for one sample, compressed if smaller (log)";
  plot.log_x = true;
  plot.y_label = Detects(table)         ? "mean average precision (%)"
                 : table.about().labels ? "right (%)"
                                        : "in agreement (%)";
  std::vector<SvgSeries> unnamed;
  for (std::size_t exit = 0; exit < calibration.exits.size(); ++exit) {
    const std::string colour = kColours[exit % kColours.size()];
    SvgSeries dots{"", {}, colour, true};
    for (const AccuracyRow& row : table.rows()) {
      if (row.plan.exit != static_cast<int>(exit) || row.bytes <= 0) continue;
      dots.points.push_back({SmallestBytes(row), 100 * table.AccuracyOf(row)});
    }
    std::sort(dots.points.begin(), dots.points.end(),
              [](const SvgPoint& a, const SvgPoint& b) { return a.x < b.x; });
    SvgSeries line{calibration.exits[exit], {}, colour, false};
    for (const SvgPoint& point : dots.points) {
      if (line.points.empty() || point.y > line.points.back().y) line.points.push_back(point);
    }
    plot.left.push_back(line);
    unnamed.push_back(dots);
  }
  plot.left.insert(plot.left.end(), unnamed.begin(), unnamed.end());
  return RenderSvg(plot);
}

}  // namespace cleave::app
