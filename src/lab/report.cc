#include "lab/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "lab/experiment_dsc_json.h"
#include "lab/report_assets.h"
#include "lab/report_encodings.h"
#include "lab/report_page.h"

namespace cleave::dsc {

std::string RenderReport(const Results& results) {
  nlohmann::json content = results;
  for (std::size_t i = 0; i < results.encodings.size(); ++i) {
    content["encodings"][i]["sentences"] = EncodingSentences(results.encodings[i]);
  }
  return RenderPage("cleave: dynamic split computing, measured",
                    content.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                    ReportScript());
}

absl::Status WriteReport(const Results& results, const std::string& path) {
  return WriteFileAtomically(path, RenderReport(results));
}

std::string GoalsTable(const std::vector<Goal>& goals) {
  std::size_t figure = 6, goal_width = 4, measured = 8;
  for (const Goal& goal : goals) {
    figure = std::max(figure, goal.figure.size());
    goal_width = std::max(goal_width, goal.goal.size());
    measured = std::max(measured, goal.measured.size());
  }
  const auto row = [&](const std::string& a, const std::string& b, const std::string& c,
                       const std::string& d) {
    return absl::StrFormat("%-*s  %*s  %*s  %s\n", static_cast<int>(figure), a,
                           static_cast<int>(goal_width), b, static_cast<int>(measured), c, d);
  };
  std::string table = row("figure", "goal", "measured", "met");
  for (const Goal& goal : goals) {
    absl::StrAppend(&table, row(goal.figure, goal.goal, goal.measured, goal.met));
    if (!goal.note.empty()) absl::StrAppend(&table, "    ", goal.note, "\n");
  }
  return table;
}

}  // namespace cleave::dsc
