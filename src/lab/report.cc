#include "lab/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "core/file.h"
#include "lab/experiment_dsc_json.h"
#include "lab/report_assets.h"
#include "lab/report_encodings.h"

namespace cleave::dsc {
namespace {

// A script element ends at "</script" whatever surrounds it, and "<!--" changes how it is read.
std::string EscapeForScript(const std::string& json) {
  return absl::StrReplaceAll(json, {{"<", "\\u003c"}, {">", "\\u003e"}, {"&", "\\u0026"}});
}

// Replaces the one `mark` in `text`; the replacement is never searched again.
std::string Fill(absl::string_view text,
                 const std::vector<std::pair<absl::string_view, absl::string_view>>& marks) {
  std::string filled;
  for (const auto& [mark, content] : marks) {
    const std::size_t at = text.find(mark);
    if (at == absl::string_view::npos) continue;
    absl::StrAppend(&filled, text.substr(0, at), content);
    text.remove_prefix(at + mark.size());
  }
  absl::StrAppend(&filled, text);
  return filled;
}

}  // namespace

std::string RenderReport(const Results& results) {
  nlohmann::json content = results;
  for (std::size_t i = 0; i < results.encodings.size(); ++i) {
    content["encodings"][i]["sentences"] = EncodingSentences(results.encodings[i]);
  }
  const std::string data =
      EscapeForScript(content.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
  return Fill(
      ReportTemplate(),
      {{"/*ECHARTS*/", ChartLibrary()}, {"/*DATA*/", data}, {"/*REPORT*/", ReportScript()}});
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
