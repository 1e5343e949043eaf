#ifndef CLEAVE_APP_EXPLAIN_REPORT_H_
#define CLEAVE_APP_EXPLAIN_REPORT_H_

#include <string>
#include <vector>

#include "cleave/device.h"

namespace cleave::app {

// The row that counts of each cut of each exit: the chosen one, else the fastest of those that are
// allowed, else the fastest. Rows are as Device::Explain gives them.
std::vector<PlanForecast> BestOfEachCut(const std::vector<PlanForecast>& rows);

// The forecast for people: a row for each plan with its phases in ms, the winner marked.
std::string ForecastText(const std::vector<PlanForecast>& rows);

// {"model", "batch", "plans": [{"exit", "cut", "encoding", "accuracy", "tensors", "bytes_up",
// "<phase>_us", "total_us", "allowed", "chosen"}]}
std::string ForecastJson(const std::string& model, std::int64_t batch,
                         const std::vector<PlanForecast>& rows);

// Stacked bars of the phases, one bar for each row: one SVG file.
std::string ForecastSvg(const std::string& title, const std::vector<PlanForecast>& rows);

}  // namespace cleave::app

#endif  // CLEAVE_APP_EXPLAIN_REPORT_H_
