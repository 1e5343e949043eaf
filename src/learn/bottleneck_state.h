#ifndef CLEAVE_LEARN_BOTTLENECK_STATE_H_
#define CLEAVE_LEARN_BOTTLENECK_STATE_H_

// Internal to src/learn.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "learn/bottleneck_curve.h"
#include "learn/train_bottleneck.h"

namespace cleave {

// How far the training of a bottleneck is, besides its weights. A plain value.
struct BottleneckState {
  // A checkpoint's numbers (Checkpoint::numbers).
  using Numbers = std::map<std::string, std::vector<double>>;
  // What a state has to be for one training.
  struct Limits {
    std::int64_t steps = 0;            // It has no more.
    std::size_t points_of_record = 0;  // Each record has as many.
  };

  std::int64_t step = 0;
  double seconds = 0;
  double loss_sum = 0;  // Since the last record.
  std::int64_t loss_count = 0;
  RateCurve curve;  // Of the codec alone; without points where it was not measured yet.
  std::vector<BottleneckRecord> records;

  Numbers ToNumbers() const;
  // Returns the state that ToNumbers wrote. InvalidArgument names `origin`, the field, what was
  // found and what was expected.
  static absl::StatusOr<BottleneckState> FromNumbers(Numbers numbers, const Limits& limits,
                                                     const std::string& origin);
};

}  // namespace cleave

#endif  // CLEAVE_LEARN_BOTTLENECK_STATE_H_
