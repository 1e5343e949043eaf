#include "app/cut_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "app/svg_plot.h"
#include "core/printable.h"
#include "core/text_table.h"
#include "core/units.h"

namespace cleave::app {
namespace {

using Json = nlohmann::ordered_json;

Json SpecsJson(const std::vector<TensorSpec>& specs) {
  Json list = Json::array();
  for (const TensorSpec& spec : specs) {
    list.push_back({{"name", spec.name},
                    {"dtype", std::string(DataTypeName(spec.dtype))},
                    {"shape", spec.shape}});
  }
  return list;
}

std::string TensorNames(const CutInfo& info) {
  constexpr std::size_t kWidth = 36;
  std::string names = absl::StrJoin(info.cut.tensors, " ");
  if (names.size() > kWidth) names = absl::StrCat("..", names.substr(names.size() - kWidth + 2));
  return names;
}

std::string Shapes(const CutInfo& info) {
  if (info.tensors.size() > 3) return absl::StrCat(info.tensors.size(), " tensors");
  return absl::StrJoin(info.tensors, " ", [](std::string* out, const TensorSpec& spec) {
    absl::StrAppend(out, ShapeString(spec.shape));
  });
}

double ComputeShare(const CutTable& table, const CutInfo& info) {
  return table.total_macs == 0
             ? 0
             : static_cast<double>(info.macs_before) / static_cast<double>(table.total_macs);
}

// What calibration says of one exit, where there is one.
class ExitAccuracy {
 public:
  ExitAccuracy(const AccuracyTable* table, int exit) : table_(table), exit_(exit) {}

  bool known() const { return Own() != nullptr; }

  // In full precision, wherever that was measured.
  const AccuracyRow* Own() const {
    if (table_ == nullptr) return nullptr;
    for (const AccuracyRow& row : table_->rows()) {
      if (row.plan.exit == exit_ && IsExact(row.plan.encoding)) return &row;
    }
    return nullptr;
  }

  // The tensor encoding with the fewest bytes that costs at most kTolerance here; null: none.
  const AccuracyRow* FewestBits(int cut) const {
    const AccuracyRow* fewest = nullptr;
    for (const AccuracyRow* row : At(cut)) {
      const bool good = ShareOf(*row) >= ShareOf(*Own()) - kTolerance;
      if (!good || IsPicture(row->plan.encoding)) continue;
      if (fewest == nullptr || row->bytes <= fewest->bytes) fewest = row;
    }
    return fewest;
  }

  // In the order of encodings.
  std::vector<const AccuracyRow*> At(int cut) const {
    std::vector<const AccuracyRow*> rows;
    if (!known()) return rows;
    for (const AccuracyRow& row : table_->rows()) {
      if (row.plan.exit == exit_ && row.plan.cut == cut) rows.push_back(&row);
    }
    return rows;
  }

  double ShareOf(const AccuracyRow& row) const { return table_->AccuracyOf(row); }

  // Ends with what the share is of: labels, or the last exit's own answers.
  std::string Text() const {
    if (!known()) return "";
    return absl::StrFormat(", %.1f%% %s", 100 * ShareOf(*Own()),
                           table_->about().labels ? "right" : "as the last exit");
  }

  Json ToJson() const {
    const ShareInterval interval = table_->IntervalOf(*Own());
    return {{"share", ShareOf(*Own())}, {"low", interval.low}, {"high", interval.high}};
  }

 private:
  // Less rounding, so that a point is a point.
  static constexpr double kTolerance = 0.01 + 1e-9;

  const AccuracyTable* table_;
  int exit_;
};

// "q4 85.3%"; nothing where no bytes are sent or the cut was not calibrated.
std::string FewestBitsText(const ExitAccuracy& accuracy, const CutTable& table, int cut) {
  if (cut + 1 == static_cast<int>(table.cuts.size()) || accuracy.At(cut).empty()) return "";
  const AccuracyRow* row = accuracy.FewestBits(cut);
  if (row == nullptr) return "none";
  return absl::StrFormat("%s %.1f%%", EncodingName(row->plan.encoding),
                         100 * accuracy.ShareOf(*row));
}

void AddCutAccuracy(const ExitAccuracy& accuracy, int cut, Json& json) {
  const std::vector<const AccuracyRow*> rows = accuracy.At(cut);
  if (rows.empty()) return;
  Json& shares = json["accuracy"] = Json::object();
  for (const AccuracyRow* row : rows) {
    shares[std::string(EncodingName(row->plan.encoding))] = accuracy.ShareOf(*row);
  }
  const AccuracyRow* fewest = accuracy.FewestBits(cut);
  json["within_1_point"] =
      fewest == nullptr ? Json(nullptr) : Json(std::string(EncodingName(fewest->plan.encoding)));
}

void AddCalibration(const AccuracyTable* table, Json& json) {
  if (table == nullptr) return;
  const AccuracyTable::About& about = table->about();
  json["calibration"] = {{"samples", about.samples},
                         {"seed", about.seed},
                         {"labels", about.labels},
                         {"metric", std::string(AccuracyTable::MetricName(about.metric))},
                         {"data_digest", about.data_digest}};
}

void AddKind(const ModelKind& kind, Json& json) {
  if (kind.text.empty()) return;
  const bool said = kind.source == ModelKind::Source::kSidecar;
  json["kind"] = {
      {"text", kind.text}, {"source", said ? "sidecar" : "shapes"}, {"detects", kind.detects}};
  if (!kind.sidecar.empty()) {
    json["kind"]["detections"] = Json::parse(kind.sidecar).at("detections");
  }
}

std::string CalibrationText(const AccuracyTable* table) {
  if (table == nullptr) return "";
  return absl::StrFormat(", calibrated on %d samples", table->about().samples);
}

Json CutsList(const CutTable& table, const std::vector<int>& shown, const ExitAccuracy& accuracy) {
  Json cuts = Json::array();
  for (const int position : shown) {
    const CutInfo& info = table.cuts[position];
    cuts.push_back({{"index", info.cut.index},
                    {"tensors", SpecsJson(info.tensors)},
                    {"elements", info.elements},
                    {"bytes", info.bytes},
                    {"compression_ratio", info.compression_ratio},
                    {"natural_bottleneck", info.natural_bottleneck},
                    {"frontier", info.frontier},
                    {"macs_before", info.macs_before}});
    AddCutAccuracy(accuracy, info.cut.index, cuts.back());
  }
  return cuts;
}

// Where the graph could be cut and the program cannot.
Json ObstaclesJson(const CutTable& table) {
  Json obstacles = Json::array();
  for (const CutInfo& info : table.cuts) {
    if (info.obstacle.empty()) continue;
    obstacles.push_back({{"index", info.cut.index}, {"why", info.obstacle}});
  }
  return obstacles;
}

std::string ObstaclesText(const CutTable& table) {
  constexpr int kMost = 3;
  int obstacles = 0;
  std::string text;
  for (const CutInfo& info : table.cuts) {
    if (info.obstacle.empty() || ++obstacles > kMost) continue;
    absl::StrAppend(&text, "  cut ", info.cut.index, ": ", Printable(info.obstacle), "\n");
  }
  if (obstacles == 0) return "";
  if (obstacles > kMost) absl::StrAppend(&text, "  and ", obstacles - kMost, " more\n");
  return absl::StrCat("not offered: ", obstacles, obstacles == 1 ? " cut\n" : " cuts\n", text);
}

std::string LeftOutText(const Graph& graph) {
  std::string text;
  for (const std::string& why : graph.left_out()) {
    absl::StrAppend(&text, "left out: ", Printable(why), "\n");
  }
  return text;
}

Json Counts(const CutTable& table) {
  return {{"cuts", table.cuts.size()},
          {"natural_bottlenecks", table.natural_bottlenecks()},
          {"frontier", table.frontier()}};
}

double Gmac(const CutTable& table) { return static_cast<double>(table.total_macs) * 1e-9; }

std::string KindOf(const CutTable& table, int position) {
  const CutInfo& info = table.cuts[position];
  if (position == 0) return "input";
  if (position + 1 == static_cast<int>(table.cuts.size())) return "output";
  if (info.frontier) return "frontier";
  return info.natural_bottleneck ? "bottleneck" : "";
}

std::string TableText(const CutTable& table, const std::vector<int>& shown,
                      const ExitAccuracy& accuracy) {
  TextTable text({{"cut"},
                  {"tensors", TextTable::Align::kLeft},
                  {"shape", TextTable::Align::kLeft},
                  {"elements"},
                  {"bytes"},
                  {"c"},
                  {"kind", TextTable::Align::kLeft},
                  {"compute"},
                  {accuracy.known() ? "within 1 point" : "", TextTable::Align::kLeft}});
  for (const int position : shown) {
    const CutInfo& info = table.cuts[position];
    text.Add({absl::StrCat(info.cut.index), TensorNames(info), Shapes(info),
              absl::StrCat(info.elements), FormatBytes(static_cast<double>(info.bytes)),
              absl::StrFormat("%.4f", info.compression_ratio), KindOf(table, position),
              absl::StrFormat("%.1f%%", 100 * ComputeShare(table, info)),
              FewestBitsText(accuracy, table, info.cut.index)});
  }
  return absl::StrCat(
      text.Text(),
      absl::StrFormat("\n%d cuts, %d natural bottlenecks, %d on the compressive frontier\n",
                      table.cuts.size(), table.natural_bottlenecks(), table.frontier()),
      ObstaclesText(table));
}

std::vector<int> ShownOf(const ExitModel& exit, ShownCuts shown) {
  return shown == ShownCuts::kAll ? SelectCandidates(exit.table, {CandidateSpec::Kind::kAll})
                                  : exit.candidates;
}

bool IsLast(const Graph& graph, const ExitModel& exit) {
  return exit.exit() + 1 == graph.exit_count();
}

// What is known of an exit as a whole.
std::string Headline(const Graph& graph, const ExitModel& exit, const ExitAccuracy& accuracy) {
  const std::string position = IsLast(graph, exit)
                                   ? "the last"
                                   : absl::StrFormat("forks off at cut %d (cut %d of the last)",
                                                     exit.fork.cut, exit.fork.last_cut);
  return absl::StrFormat("exit %d  %s  %.3g GMAC%s, %s\n", exit.exit(), graph.exits()[exit.exit()],
                         Gmac(exit.table), accuracy.Text(), position);
}

Json ExitJson(const Graph& graph, const ExitModel& exit, ShownCuts shown,
              const AccuracyTable* table) {
  const ExitAccuracy accuracy(table, exit.exit());
  Json json = {{"exit", exit.exit()},
               {"name", graph.exits()[exit.exit()]},
               {"output", SpecsJson(exit.table.cuts.back().tensors).front()},
               {"macs", exit.table.total_macs},
               {"cuts", CutsList(exit.table, ShownOf(exit, shown), accuracy)},
               {"candidates", exit.candidates},
               {"fork", {{"cut", exit.fork.cut}, {"last_cut", exit.fork.last_cut}}},
               {"obstacles", ObstaclesJson(exit.table)},
               {"counts", Counts(exit.table)}};
  if (accuracy.known()) json["accuracy"] = accuracy.ToJson();
  return json;
}

}  // namespace

std::string CutsJson(const Graph& graph, const CutTable& table, const std::vector<int>& shown,
                     const AccuracyTable* calibration, const ModelKind& kind) {
  const ExitAccuracy accuracy(calibration, 0);
  Json report = {{"model", graph.path()},
                 {"digest", graph.digest()},
                 {"batch", table.batch},
                 {"inputs", SpecsJson(table.inputs.specs)},
                 {"outputs", SpecsJson(table.cuts.back().tensors)},
                 {"macs", table.total_macs},
                 {"cuts", CutsList(table, shown, accuracy)},
                 {"obstacles", ObstaclesJson(table)},
                 {"left_out", graph.left_out()},
                 {"guesses", table.inputs.guesses},
                 {"counts", Counts(table)}};
  if (accuracy.known()) report["accuracy"] = accuracy.ToJson();
  AddCalibration(calibration, report);
  AddKind(kind, report);
  return report.dump(2) + "\n";
}

std::string CutsText(const Graph& graph, const CutTable& table, const std::vector<int>& shown,
                     const AccuracyTable* calibration, const ModelKind& kind) {
  const ExitAccuracy accuracy(calibration, 0);
  return absl::StrFormat("%s  batch %d, %.3g GMAC%s, sha256 %s%s\n\n", graph.path(), table.batch,
                         Gmac(table), accuracy.Text(), graph.digest().substr(0, 12),
                         CalibrationText(calibration)) +
         TableText(table, shown, accuracy) + LeftOutText(graph) + KindLines(kind);
}

std::string ExitsJson(const Graph& graph, const std::vector<ExitModel>& exits, ShownCuts shown,
                      const AccuracyTable* calibration, const ModelKind& kind) {
  Json list = Json::array();
  for (const ExitModel& exit : exits) list.push_back(ExitJson(graph, exit, shown, calibration));
  Json report = {{"model", graph.path()},
                 {"digest", graph.digest()},
                 {"batch", exits.front().table.batch},
                 {"inputs", SpecsJson(exits.front().table.inputs.specs)},
                 {"exits", list}};
  AddCalibration(calibration, report);
  AddKind(kind, report);
  return report.dump(2) + "\n";
}

std::string ExitsText(const Graph& graph, const std::vector<ExitModel>& exits, ShownCuts shown,
                      const AccuracyTable* calibration, const ModelKind& kind) {
  std::string text = absl::StrFormat("%s  batch %d, %d exits, sha256 %s%s\n", graph.path(),
                                     exits.front().table.batch, graph.exit_count(),
                                     graph.digest().substr(0, 12), CalibrationText(calibration));
  for (const ExitModel& exit : exits) {
    const ExitAccuracy accuracy(calibration, exit.exit());
    absl::StrAppend(&text, "\n", Headline(graph, exit, accuracy), "\n",
                    TableText(exit.table, ShownOf(exit, shown), accuracy));
  }
  return text + KindLines(kind);
}

std::string CutsSvg(const Graph& graph, const CutTable& table) {
  SvgSeries ratio{"compression ratio c", {}, "#1f5fa8", false};
  SvgSeries bottlenecks{"natural bottleneck", {}, "#d1495b", true};
  SvgSeries compute{"share of the compute before the cut", {}, "#8a8f98", false};
  for (const CutInfo& info : table.cuts) {
    const auto depth = static_cast<double>(info.cut.index);
    const double c = std::max(info.compression_ratio, 1e-5);
    ratio.points.push_back({depth, c});
    if (info.natural_bottleneck) bottlenecks.points.push_back({depth, c});
    compute.points.push_back({depth, ComputeShare(table, info)});
  }
  SvgPlot plot;
  plot.title = absl::StrCat(
      graph.name(), graph.is_part() ? absl::StrCat(", exit ", graph.exit()) : "", ": ",
      table.natural_bottlenecks(), " natural bottlenecks among ", table.cuts.size(), " cuts");
  plot.x_label = "cut (depth)";
  plot.y_label = "compression ratio c (log)";
  plot.right_label = "cumulative compute";
  plot.log_y = true;
  plot.reference_y = 1.0;
  plot.left = {ratio, bottlenecks};
  plot.right = {compute};
  return RenderSvg(plot);
}

}  // namespace cleave::app
