#ifndef CLEAVE_EXPERIMENTS_SACD_REPORT_H_
#define CLEAVE_EXPERIMENTS_SACD_REPORT_H_

#include <string>

#include "absl/status/status.h"
#include "experiments/sacd/results.h"

namespace cleave::experiments::sacd {

// Returns one HTML page with every chart and table of the results, which needs no network. Text
// from the results cannot end its script element.
std::string RenderReport(const Results& results);

// RenderReport into a file.
absl::Status WriteReport(const Results& results, const std::string& path);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_REPORT_H_
