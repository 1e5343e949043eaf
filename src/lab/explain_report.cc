#include "lab/explain_report.h"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/units.h"
#include "lab/svg_plot.h"

namespace cleave {
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

std::string ForecastText(const std::vector<PlanForecast>& rows) {
  std::string text = absl::StrFormat("  %4s %10s", "cut", "sends");
  for (const Phase& phase : kPhases) absl::StrAppendFormat(&text, " %8s", phase.name);
  absl::StrAppendFormat(&text, " %9s  tensors (times in ms)\n", "total");
  for (const PlanForecast& row : rows) {
    absl::StrAppendFormat(&text, "%c %4d %10s", row.chosen ? '>' : ' ', row.cut,
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
  Json cuts = Json::array();
  for (const PlanForecast& row : rows) {
    Json cut = {{"cut", row.cut}, {"tensors", row.tensors}, {"bytes_up", row.bytes_up}};
    for (const Phase& phase : kPhases) cut[absl::StrCat(phase.name, "_us")] = row.*phase.time_us;
    cut["total_us"] = row.total_us;
    cut["allowed"] = row.allowed;
    cut["chosen"] = row.chosen;
    cuts.push_back(std::move(cut));
  }
  const Json json = {{"model", model}, {"batch", batch}, {"cuts", std::move(cuts)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string ForecastSvg(const std::string& title, const std::vector<PlanForecast>& rows) {
  SvgBars chart;
  chart.title = title;
  chart.x_label = "predicted time (ms)";
  for (const Phase& phase : kPhases) chart.parts.emplace_back(phase.name);
  for (const PlanForecast& row : rows) {
    SvgBar bar;
    bar.label = absl::StrCat("cut ", row.cut);
    bar.marked = row.chosen;
    for (const Phase& phase : kPhases) bar.parts.push_back(row.*phase.time_us / 1e3);
    chart.bars.push_back(std::move(bar));
  }
  return RenderSvg(chart);
}

}  // namespace cleave
