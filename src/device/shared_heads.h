#ifndef CLEAVE_DEVICE_SHARED_HEADS_H_
#define CLEAVE_DEVICE_SHARED_HEADS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "device/local_model.h"

namespace cleave {

// How far the paths to two exits of a model are one. Immutable.
class SharedHeads {
 public:
  explicit SharedHeads(const LocalModel& model);

  // Boundaries of two chains at which the same tensors are alive.
  struct Point {
    int boundary = 0;  // In the chain of the exit that is run,
    int other = 0;     // and in that of the other one. 0 and 0 are the model's input.
  };
  // The deepest such point up to this boundary of `exit`.
  Point Deepest(int exit, int boundary, int other) const;

 private:
  // By exit, other exit, and boundary of the first: that of the second, if there is one.
  std::vector<std::vector<std::vector<std::optional<int>>>> same_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_SHARED_HEADS_H_
