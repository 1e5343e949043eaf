#include "experiments/dsc/report.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "experiments/dsc/json.h"
#include "experiments/dsc/report_encodings.h"
#include "experiments/report/assets.h"
#include "experiments/report/page.h"

namespace cleave::experiments::dsc {

std::string RenderReport(const Results& results) {
  nlohmann::json content = results;
  for (std::size_t i = 0; i < results.encodings.size(); ++i) {
    content["encodings"][i]["sentences"] = EncodingSentences(results.encodings[i]);
  }
  return report::RenderPage("cleave: dynamic split computing, measured",
                            content.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace),
                            report::ReportScript());
}

absl::Status WriteReport(const Results& results, const std::string& path) {
  return WriteFileAtomically(path, RenderReport(results));
}

}  // namespace cleave::experiments::dsc
