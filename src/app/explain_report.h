#ifndef CLEAVE_APP_EXPLAIN_REPORT_H_
#define CLEAVE_APP_EXPLAIN_REPORT_H_

#include <string>
#include <vector>

#include "cleave/device.h"

namespace cleave::app {

// Returns the row that counts of each cut of each exit: the chosen one, else the fastest of those
// that are allowed, else the fastest. Rows are as Device::Explain gives them.
std::vector<PlanForecast> BestOfEachCut(const std::vector<PlanForecast>& rows);

// Returns the forecast for people: a row for each plan with its phases in ms, the winner marked.
std::string ForecastText(const std::vector<PlanForecast>& rows);

// Returns {"model", "batch", "plans": [{"exit", "cut", "encoding", "accuracy", "tensors",
// "bytes_up", "<phase>_us", "total_us", "allowed", "chosen"}]}
std::string ForecastJson(const std::string& model, std::int64_t batch,
                         const std::vector<PlanForecast>& rows);

// Draws the phases as stacked bars, one bar for each row, as one SVG file.
std::string ForecastSvg(const std::string& title, const std::vector<PlanForecast>& rows);

}  // namespace cleave::app

#endif  // CLEAVE_APP_EXPLAIN_REPORT_H_
