#ifndef CLEAVE_EXPERIMENTS_REPORT_PAGE_H_
#define CLEAVE_EXPERIMENTS_REPORT_PAGE_H_

#include <string>

#include "absl/strings/string_view.h"

namespace cleave::experiments::report {

// Returns one HTML page that needs no network: the chart library, the code that experiments share,
// `data` (JSON) and the script that draws it. Text in the data cannot end its script element.
std::string RenderPage(absl::string_view title, const std::string& data, absl::string_view script);

}  // namespace cleave::experiments::report

#endif  // CLEAVE_EXPERIMENTS_REPORT_PAGE_H_
