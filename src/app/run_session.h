#ifndef CLEAVE_APP_RUN_SESSION_H_
#define CLEAVE_APP_RUN_SESSION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "app/detector.h"
#include "app/input_source.h"
#include "app/run_report.h"
#include "cleave/cancel.h"
#include "cleave/device.h"

namespace cleave::app {

enum class RunView : std::uint8_t {
  kJson,   // One object a line, then {"summary": {...}}.
  kLines,  // One line an inference, then the summary.
  kLive,   // A table that redraws itself (ANSI), then the summary.
};

struct RunOptions {
  std::int64_t repeat = 1;  // Passes over the inputs; ignored with a duration.
  std::optional<std::int64_t> duration_us;
  std::int64_t interval_us = 0;  // Between the starts of two inferences; 0: at once.
  // So many overlap, at most what the device was opened for (DeviceOptions::Stream).
  std::int64_t in_flight = 1;
  RunView view = RunView::kLines;
  OutputDetail detail;
  std::string title;  // Above the live table.
  std::optional<Detector> detector;
  // Called with each inference that ended well.
  std::function<void(const InferenceRecord&)> on_record;
  std::string annotate;  // Folder for the pictures with what was found in them; empty: none.
  std::string video;     // File for a video of them; empty: none.
  std::string records;   // File for what kJson shows, whatever `view` is; empty: none.
};

// Runs inferences until the inputs, the duration or the caller (`stop`) end it, and reports to
// `out`. The summary is written in any case; the first error of an inference ends the run and is
// returned. A file of several that cannot be read is named on stderr, skipped and counted, and
// InvalidArgument at the end says so.
absl::Status RunSession(Device& device, InputSource& inputs, const RunOptions& options,
                        const CancelToken& stop, std::ostream& out);

}  // namespace cleave::app

#endif  // CLEAVE_APP_RUN_SESSION_H_
