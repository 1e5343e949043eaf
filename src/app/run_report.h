#ifndef CLEAVE_APP_RUN_REPORT_H_
#define CLEAVE_APP_RUN_REPORT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "app/detector.h"
#include "app/filter_counts.h"
#include "cleave/device.h"

namespace cleave::app {

struct OutputDetail {
  bool full = false;                // Every value, not only the five highest scores.
  std::vector<std::string> labels;  // Names of the classes, by index; may be empty.
  std::string labels_origin;        // Where they come from, for messages.
};

// Returns one inference as one line of JSON, with the keys that docs/run-format.md lists. `items`
// are the names of the batch's items, for "inputs"; may be empty. An output of class scores (FP32,
// [N, K]) gets "top": for each row its five highest {"index", "value", "label"}; with detail.full
// every output also gets "data", flat and row-major. Where there are detections, "detections" has
// those of each item, and no output is taken for class scores.
std::string RecordJson(const InferenceRecord& record, const OutputDetail& detail,
                       const std::vector<std::string>& items = {},
                       const std::optional<BatchDetections>& detections = std::nullopt);

// What a run came to. Thread-compatible.
class RunSummary {
 public:
  // With what a detector found in the outputs, filtered inferences that were checked tell how often
  // the filter errs.
  void Add(const InferenceRecord& record,
           const std::optional<BatchDetections>& detections = std::nullopt);
  // An input that cannot be read was left out.
  void AddSkipped() { ++skipped_; }
  // So many frames of a video were left out, since the inferences are slower.
  void SetDropped(std::int64_t frames) { dropped_ = frames; }

  std::int64_t inferences() const { return static_cast<std::int64_t>(latencies_us_.size()); }
  std::int64_t skipped() const { return skipped_; }
  // Returns {"summary": {...}} in one line. `seconds` is the wall time of the run.
  std::string ToJson(double seconds) const;
  std::string ToText(double seconds) const;

 private:
  std::vector<double> latencies_us_;
  std::vector<double> errors_;  // |predicted - measured| / measured of those that did not fall back
  std::map<std::string, std::int64_t> where_;
  std::map<int, std::int64_t> cuts_;
  std::map<int, std::int64_t> exits_;
  std::map<std::string, std::int64_t> encodings_;
  std::vector<double> accuracies_;  // Of the plans, as calibrated.
  std::map<std::string, std::int64_t> fallbacks_;
  Timeline total_;
  std::int64_t bytes_up_ = 0;
  std::int64_t bytes_down_ = 0;
  std::int64_t deadline_misses_ = 0;
  std::int64_t with_deadline_ = 0;
  std::int64_t skipped_ = 0;
  std::int64_t dropped_ = 0;
  std::int64_t hedges_ = 0;
  std::int64_t hedges_won_ = 0;
  std::int64_t verified_ = 0;
  std::int64_t disagreed_ = 0;
  FilterCounts filter_;
};

// Returns the answer of an inference that a filter ended, for people: a line for each of its items;
// none for any other inference.
std::vector<std::string> FilteredLines(const InferenceRecord& record,
                                       const std::vector<std::string>& items);

// Returns the columns of RecordLine.
std::string RecordHeader();
// Returns one inference for people: where and why, measured and predicted time, the link, the
// phases.
std::string RecordLine(const InferenceRecord& record);

}  // namespace cleave::app

#endif  // CLEAVE_APP_RUN_REPORT_H_
