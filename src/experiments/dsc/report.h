#ifndef CLEAVE_EXPERIMENTS_DSC_REPORT_H_
#define CLEAVE_EXPERIMENTS_DSC_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::dsc {

// Returns one HTML page with every chart and table of the results, which needs no network: the
// chart library and the data are inside. Text from the results cannot end its script element.
std::string RenderReport(const Results& results);

// RenderReport into a file.
absl::Status WriteReport(const Results& results, const std::string& path);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_REPORT_H_
