#ifndef CLEAVE_APP_FILTER_THRESHOLD_H_
#define CLEAVE_APP_FILTER_THRESHOLD_H_

#include <string>

#include "absl/status/status.h"
#include "app/detector.h"

namespace cleave::app {

// InvalidArgument where a run counts detections of lower scores than the filter was fitted to, of
// which it knows nothing. `filter` is the filter's file; empty: the one beside the model. Other
// errors are those of FilterFile::Load and DetectionHead::OfModel.
absl::Status CheckFilterThreshold(const std::string& filter, const DetectorOptions& detector);

}  // namespace cleave::app

#endif  // CLEAVE_APP_FILTER_THRESHOLD_H_
