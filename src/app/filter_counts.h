#ifndef CLEAVE_APP_FILTER_COUNTS_H_
#define CLEAVE_APP_FILTER_COUNTS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "app/detector.h"
#include "cleave/device.h"

namespace cleave::app {

// Whether a filter ended the inference, so that it found nothing.
bool IsFiltered(const InferenceRecord& record);

// What a filter did in a run, and how often it erred as far as its checks tell. Checks are drawn at
// random among the inferences that the filter found empty, so that their share of errors stands for
// that of all of them. Thread-compatible.
class FilterCounts {
 public:
  // `detections` are those in the outputs, if there is a detector.
  void Add(const InferenceRecord& record, const std::optional<BatchDetections>& detections);

  bool any() const { return passed_ + filtered_ + checked_ > 0; }
  // Returns {"passed", "filtered", "checked", "wrong", "low", "high", "confidence"} as JSON:
  // `wrong` of the checked inferences showed something, and the share of wrong ones among what the
  // filter finds empty lies from `low` to `high` with that confidence. The last four are null
  // without a check by a detector.
  std::string ToJson() const;
  // Returns the same for people: "filtered x30 of 100; checked x2, of which 0 showed something
  // (95% interval 0.0% to 84.2%)".
  std::string ToText() const;

 private:
  std::int64_t passed_ = 0;
  std::int64_t filtered_ = 0;
  std::int64_t checked_ = 0;
  std::int64_t judged_ = 0;  // Checked, with detections.
  std::int64_t wrong_ = 0;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_FILTER_COUNTS_H_
