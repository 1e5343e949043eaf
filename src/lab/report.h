#ifndef CLEAVE_LAB_REPORT_H_
#define CLEAVE_LAB_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "lab/experiment_dsc_results.h"

namespace cleave::dsc {

// One HTML page with every chart and table of the results, which needs no network: the chart
// library and the data are inside. Text from the results cannot end its script element.
std::string RenderReport(const Results& results);

// RenderReport into a file.
absl::Status WriteReport(const Results& results, const std::string& path);

// The goals as a table for a terminal.
std::string GoalsTable(const std::vector<Goal>& goals);

}  // namespace cleave::dsc

#endif  // CLEAVE_LAB_REPORT_H_
