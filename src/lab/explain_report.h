#ifndef CLEAVE_LAB_EXPLAIN_REPORT_H_
#define CLEAVE_LAB_EXPLAIN_REPORT_H_

#include <string>
#include <vector>

#include "cleave/device.h"

namespace cleave {

// The forecast for people: a row for each cut with its phases in ms, the winner marked.
std::string ForecastText(const std::vector<PlanForecast>& rows);

// {"model", "batch", "cuts": [{"cut", "tensors", "bytes_up", "<phase>_us", "total_us", "allowed",
// "chosen"}]}
std::string ForecastJson(const std::string& model, std::int64_t batch,
                         const std::vector<PlanForecast>& rows);

// Stacked bars of the phases, one bar for each cut: one SVG file.
std::string ForecastSvg(const std::string& title, const std::vector<PlanForecast>& rows);

}  // namespace cleave

#endif  // CLEAVE_LAB_EXPLAIN_REPORT_H_
