#ifndef CLEAVE_EXPERIMENTS_DSC_REPORT_ENCODINGS_H_
#define CLEAVE_EXPERIMENTS_DSC_REPORT_ENCODINGS_H_

#include <string>
#include <vector>

#include "cleave/plan.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::dsc {

// At which rates a split is predicted to be the fastest with the better of these encodings, and at
// which it does not pay and what is faster: sending the JPEG, staying on the device, sending the
// input. Encodings that the forecast lacks are passed over; empty where it has none of them.
std::string SplitVerdict(const EncodingForecast& forecast, const std::vector<Encoding>& encodings);

// Returns how the best cut of `encoding` lies to that of fp32, over the rates.
std::string CutShift(const EncodingForecast& forecast, Encoding encoding);

// Returns what the page says of the forecast: all of it predicted.
std::vector<std::string> EncodingSentences(const EncodingForecast& forecast);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_REPORT_ENCODINGS_H_
