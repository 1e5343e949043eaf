#ifndef CLEAVE_APP_FILTER_REPORT_H_
#define CLEAVE_APP_FILTER_REPORT_H_

#include <cstdint>
#include <string>

#include "app/filter_fit.h"

namespace cleave::app {

// Returns "60 of 80, 75.0% (95% interval 64.1% to 84.0%)"; "none of 0" without any.
std::string ShareText(std::int64_t part, std::int64_t of);

// Returns every filter that was tried, with the chosen one, for people.
std::string FilterFitText(const FilterFitOutcome& outcome);
// Returns the same as JSON: {"samples", "model_digest", "data_digest", "score_threshold", "tried":
// [{"cut", "share_of_work", "side", "units", "logit", "occupied", "lost", "empty", "spared",
// "work_spared", "chosen"}]}.
std::string FilterFitJson(const FilterFitOutcome& outcome);

}  // namespace cleave::app

#endif  // CLEAVE_APP_FILTER_REPORT_H_
