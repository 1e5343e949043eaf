#include "app/explain_report.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/svg_plot.h"
#include "core/text_table.h"
#include "core/units.h"

namespace cleave::app {
namespace {

struct Phase {
  const char* name;
  double PlanForecast::*time_us;
};
constexpr std::array kPhases = std::to_array<Phase>({{"head", &PlanForecast::head_us},
                                                     {"encode", &PlanForecast::encode_us},
                                                     {"uplink", &PlanForecast::uplink_us},
                                                     {"queue", &PlanForecast::queue_us},
                                                     {"tail", &PlanForecast::tail_us},
                                                     {"downlink", &PlanForecast::downlink_us}});

}  // namespace

std::vector<PlanForecast> BestOfEachCut(const std::vector<PlanForecast>& rows) {
  std::vector<PlanForecast> best;
  for (const PlanForecast& row : rows) {
    const bool same = !best.empty() && best.back().exit == row.exit && best.back().cut == row.cut;
    if (!same) {
      best.push_back(row);
    } else if (!best.back().chosen &&
               (row.chosen || std::pair(!row.allowed, row.total_us) <
                                  std::pair(!best.back().allowed, best.back().total_us))) {
      best.back() = row;
    }
  }
  return best;
}

std::string ForecastText(const std::vector<PlanForecast>& rows) {
  std::vector<TextTable::Column> columns = {{"", TextTable::Align::kLeft},   {"exit"},  {"cut"},
                                            {"as", TextTable::Align::kLeft}, {"right"}, {"sends"}};
  for (const Phase& phase : kPhases) columns.push_back({phase.name});
  columns.push_back({"total"});
  columns.push_back({"tensors (times in ms)", TextTable::Align::kLeft});
  TextTable table(std::move(columns));
  for (const PlanForecast& row : rows) {
    std::vector<std::string> cells = {
        row.chosen ? ">" : "",
        absl::StrCat(row.exit),
        absl::StrCat(row.cut),
        std::string(EncodingName(row.encoding)),
        row.accuracy ? absl::StrFormat("%.1f%%", 100 * *row.accuracy) : "-",
        FormatBytes(static_cast<double>(row.bytes_up))};
    for (const Phase& phase : kPhases) {
      cells.push_back(absl::StrFormat("%.2f", row.*phase.time_us / 1e3));
    }
    cells.push_back(absl::StrFormat("%.2f", row.total_us / 1e3));
    cells.push_back(absl::StrCat(row.tensors, row.allowed ? "" : "  (not allowed now)"));
    table.Add(std::move(cells));
  }
  return table.Text();
}

std::string ForecastJson(const std::string& model, std::int64_t batch,
                         const std::vector<PlanForecast>& rows) {
  using Json = nlohmann::ordered_json;
  Json plans = Json::array();
  for (const PlanForecast& row : rows) {
    Json plan = {{"exit", row.exit},
                 {"cut", row.cut},
                 {"encoding", std::string(EncodingName(row.encoding))},
                 {"accuracy", row.accuracy ? Json(*row.accuracy) : Json(nullptr)},
                 {"tensors", row.tensors},
                 {"bytes_up", row.bytes_up}};
    for (const Phase& phase : kPhases) plan[absl::StrCat(phase.name, "_us")] = row.*phase.time_us;
    plan["total_us"] = row.total_us;
    plan["allowed"] = row.allowed;
    plan["chosen"] = row.chosen;
    plans.push_back(std::move(plan));
  }
  const Json json = {{"model", model}, {"batch", batch}, {"plans", std::move(plans)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ForecastSvg(const std::string& title, const std::vector<PlanForecast>& rows) {
  SvgBars chart;
  chart.title = title;
  chart.x_label = "predicted time (ms)";
  for (const Phase& phase : kPhases) chart.parts.emplace_back(phase.name);
  for (const PlanForecast& row : rows) {
    SvgBar bar;
    bar.label = absl::StrCat(row.exit > 0 ? absl::StrCat("exit ", row.exit, ", ") : "", "cut ",
                             row.cut, row.encoding == Encoding::kFp32 ? "" : ", ",
                             row.encoding == Encoding::kFp32 ? "" : EncodingName(row.encoding));
    bar.marked = row.chosen;
    for (const Phase& phase : kPhases) bar.parts.push_back(row.*phase.time_us / 1e3);
    chart.bars.push_back(std::move(bar));
  }
  return RenderSvg(chart);
}

}  // namespace cleave::app
