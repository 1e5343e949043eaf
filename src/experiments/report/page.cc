#include "experiments/report/page.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "experiments/report/assets.h"

namespace cleave::experiments::report {
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

std::string RenderPage(absl::string_view title, const std::string& data, absl::string_view script) {
  return Fill(ReportTemplate(), {{"/*TITLE*/", title},
                                 {"/*ECHARTS*/", ChartLibrary()},
                                 {"/*DATA*/", EscapeForScript(data)},
                                 {"/*COMMON*/", CommonScript()},
                                 {"/*REPORT*/", script}});
}

}  // namespace cleave::experiments::report
