#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/units.h"
#include "experiments/rig/contest.h"
#include "experiments/rig/grid.h"
#include "experiments/rig/json.h"
#include "experiments/stream/experiment.h"

namespace cleave::experiments::stream {

NLOHMANN_JSON_SERIALIZE_ENUM(Kind, {{Kind::kOwn, "dynamic"},
                                    {Kind::kLocal, "local"},
                                    {Kind::kPictures, "pictures"},
                                    {Kind::kCut, "cut"}})

void to_json(nlohmann::json& nlohmann_json_j, const Cell& nlohmann_json_t) {
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, name, kind, frames, frames_per_s,
                                           least_per_s, most_per_s, p50_us, p99_us, bytes_up,
                                           expected_accuracy, fallbacks, believed_up_bps, plans))
}

void to_json(nlohmann::json& json, const Point& point) {
  json = {{"device_share", point.device_share},
          {"rate_bps", point.rate_bps},
          {"ratio_to_best", point.RatioToBest()},
          {"cut_ratio", point.CutRatio()},
          {"stage_ratio", point.StageRatio()},
          {"slowest_stage_us", point.slowest_stage_us},
          {"cells", point.cells}};
}

void to_json(nlohmann::json& nlohmann_json_j, const Results& nlohmann_json_t) {
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, model, digest, link, command,
                                           device_slowed, min_accuracy, in_flight, notes, points,
                                           complete))
}

namespace {

constexpr double kOfBest = 0.95;
constexpr double kOfStage = 0.9;
constexpr double kMuchMore = 1.5;

std::string RateText(const Cell& cell) {
  return absl::StrFormat("%.1f (%.0f, %.0f ms)", cell.frames_per_s, cell.p50_us / 1e3,
                         cell.p99_us / 1e3);
}

std::string ShareTable(const Results& results, double share) {
  rig::RateTable<Point> table(results.points, share,
                              absl::StrFormat("%g of a core: frames/s (p50, p99)", share));
  const std::vector<Cell>& first = table.points().front()->cells;
  for (std::size_t i = 0; i < first.size(); ++i) {
    if (first[i].kind == Kind::kCut) continue;
    table.Add(first[i].name, [i](const Point& point) { return RateText(point.cells[i]); });
  }
  table.Add("best fixed cut", [](const Point& point) {
    const Cell* cut = point.Best({Kind::kCut});
    return cut == nullptr ? "-" : absl::StrCat(RateText(*cut), ", ", cut->name);
  });
  table.Add("plan that dynamic used most",
            [](const Point& point) { return rig::MostUsedPlan(point.own().plans); });
  table.Add("bytes that it sent",
            [](const Point& point) { return FormatBytes(point.own().bytes_up); });
  table.Add("dynamic over the best fixed plan",
            [](const Point& point) { return absl::StrFormat("%.2f", point.RatioToBest()); });
  table.Add("best fixed cut over pictures and local",
            [](const Point& point) { return absl::StrFormat("%.2f", point.CutRatio()); });
  table.Add("dynamic over what its slowest stage allows",
            [](const Point& point) { return absl::StrFormat("%.2f", point.StageRatio()); });
  return table.Markdown();
}

std::string Conclusion(const Results& results) {
  const auto count = [&](const auto& holds) {
    return std::count_if(results.points.begin(), results.points.end(), holds);
  };
  double most = 0;
  for (const Point& point : results.points) most = std::max(most, point.CutRatio());
  return absl::StrFormat(
      "Of %d points, dynamic has %.2f of the best fixed plan or more at %d, and %.1f of what its "
      "slowest stage allows at %d. A cut beats staying local and sending pictures at %d, by %.1f "
      "times or more at %d; the most is %.2f times.\n",
      results.points.size(), kOfBest,
      count([](const Point& point) { return point.RatioToBest() >= kOfBest; }), kOfStage,
      count([](const Point& point) { return point.StageRatio() >= kOfStage; }),
      count([](const Point& point) { return point.CutRatio() > 1; }), kMuchMore,
      count([](const Point& point) { return point.CutRatio() >= kMuchMore; }), most);
}

}  // namespace

std::string ToJson(const Results& results) { return nlohmann::json(results).dump(1) + "\n"; }

std::string ToText(const Results& results) {
  const auto table_of = [&](double share) { return ShareTable(results, share); };
  return rig::TablesOfShares(results.points, table_of) + Conclusion(results);
}

}  // namespace cleave::experiments::stream
