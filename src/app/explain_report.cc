#include "app/explain_report.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "app/svg_plot.h"
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
  std::string text =
      absl::StrFormat("  %4s %4s %-7s %6s %10s", "exit", "cut", "as", "right", "sends");
  for (const Phase& phase : kPhases) absl::StrAppendFormat(&text, " %8s", phase.name);
  absl::StrAppendFormat(&text, " %9s  tensors (times in ms)\n", "total");
  for (const PlanForecast& row : rows) {
    absl::StrAppendFormat(&text, "%c %4d %4d %-7s %6s %10s", row.chosen ? '>' : ' ', row.exit,
                          row.cut, EncodingName(row.encoding),
                          row.accuracy ? absl::StrFormat("%.1f%%", 100 * *row.accuracy) : "-",
                          FormatBytes(static_cast<double>(row.bytes_up)));
    for (const Phase& phase : kPhases) {
      absl::StrAppendFormat(&text, " %8.2f", row.*phase.time_us / 1e3);
    }
    absl::StrAppendFormat(&text, " %9.2f  %s%s\n", row.total_us / 1e3, row.tensors,
                          row.allowed ? "" : "  (not allowed now)");
  }
  return text;
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
