#include <algorithm>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/units.h"
#include "experiments/latency/experiment.h"
#include "experiments/rig/grid.h"
#include "experiments/rig/json.h"

namespace cleave::experiments::latency {

void to_json(nlohmann::json& json, const Point& point) {
  json = {{"device_share", point.device_share},
          {"ratio", point.Ratio()},
          {"best_rival", point.BestRival() == nullptr ? "" : point.BestRival()->policy},
          {"cells", point.cells}};
}

void to_json(nlohmann::json& nlohmann_json_j, const Results& nlohmann_json_t) {
  NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, model, digest, link, command,
                                           device_slowed, min_accuracy, notes, points, complete))
}

namespace {

constexpr double kMuchFaster = 0.8;
constexpr double kAsFast = 1.03;

std::string TimeText(const rig::Cell& cell) {
  return absl::StrFormat("%.0f (%.0f to %.0f)", cell.mean_us / 1e3, cell.p25_us / 1e3,
                         cell.p75_us / 1e3);
}

std::string ShareTable(const Results& results, double share) {
  rig::RateTable<Point> table(results.points, share,
                              absl::StrFormat("%g of a core: mean time (quartiles), ms", share));
  for (std::size_t i = 0; i < table.points().front()->cells.size(); ++i) {
    table.Add(table.points().front()->cells[i].policy,
              [i](const Point& point) { return TimeText(point.cells[i]); });
  }
  table.Add("plan that dynamic used most",
            [](const Point& point) { return rig::MostUsedPlan(point.cells.front().plans); });
  table.Add("bytes that it sent",
            [](const Point& point) { return FormatBytes(point.cells.front().bytes_up); });
  table.Add("ratio to the best rival",
            [](const Point& point) { return absl::StrFormat("%.2f", point.Ratio()); });
  return table.Markdown();
}

std::string Conclusion(const Results& results) {
  const auto count = [&](double bound) {
    return std::count_if(results.points.begin(), results.points.end(),
                         [bound](const Point& point) { return point.Ratio() <= bound; });
  };
  double worst = 0;
  for (const Point& point : results.points) worst = std::max(worst, point.Ratio());
  return absl::StrFormat(
      "%d of %d points at %.1f or less, %d at %.2f or less; the worst is %.2f.\n",
      count(kMuchFaster), results.points.size(), kMuchFaster, count(kAsFast), kAsFast, worst);
}

}  // namespace

std::string ToJson(const Results& results) { return nlohmann::json(results).dump(1) + "\n"; }

std::string ToText(const Results& results) {
  const auto table_of = [&](double share) { return ShareTable(results, share); };
  return rig::TablesOfShares(results.points, table_of) + Conclusion(results);
}

}  // namespace cleave::experiments::latency
