#ifndef CLEAVE_APP_CALIBRATE_REPORT_H_
#define CLEAVE_APP_CALIBRATE_REPORT_H_

#include <string>

#include "app/calibrate.h"

namespace cleave::app {

// Returns what `cleave calibrate --json` prints:
// {"model","digest","data_digest","samples","seed","labels","metric","exits",
// "rows":[{"exit","cut","encoding","accuracy","low","high","right","bytes","entropy_bytes",
// "ratio"}]}; `ratio` is the smaller of both sizes to fp32's plain one at that cut. A detector's
// rows have "accuracy_at_50" in place of "right".
std::string CalibrationJson(const Calibration& calibration);

// Returns the same for people: one line for each exit and cut, accuracy and ratio of each encoding.
std::string CalibrationText(const Calibration& calibration);

// Draws accuracy against bytes, one colour for each exit, as one SVG file. The line joins the plans
// of an exit that no smaller one of it beats.
std::string CalibrationSvg(const Calibration& calibration);

}  // namespace cleave::app

#endif  // CLEAVE_APP_CALIBRATE_REPORT_H_
