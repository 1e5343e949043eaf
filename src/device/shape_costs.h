#ifndef CLEAVE_DEVICE_SHAPE_COSTS_H_
#define CLEAVE_DEVICE_SHAPE_COSTS_H_

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/tensor.h"
#include "device/local_model.h"
#include "runtime/chain.h"

namespace cleave {

// What real runs have shown of one shape of the inputs that the profiles have not measured. An
// immutable value.
struct ShapeCosts {
  struct Exit {
    // By segment: its time where the device is not slowed down; nothing before it has run.
    std::vector<std::optional<double>> segment_us;
    // By boundary: its live tensors; none before the device has been there.
    std::vector<std::vector<TensorSpec>> live;
  };
  std::vector<Exit> exits;
  // The edge's time by what its profile gives for this shape; nothing before it has answered.
  std::optional<double> edge_factor;
};

// The time of the segments of an exit between two boundaries, at these shapes, on a device that is
// not slowed down: as the profile has measured it, else as `costs` (which may be null) has it for
// segments that ran, with the profile's estimate for the others scaled as those were off.
double SegmentsUs(const LocalExit& exit, int from, int to, const InputShapes& shapes,
                  const ShapeCosts* costs);

// Whether the profile or `costs` (which may be null) knows each of these segments from runs.
bool KnowsSegments(const LocalExit& exit, int from, int to, const InputShapes& shapes,
                   const ShapeCosts* costs);

// Learns what inferences cost at shapes that the profiles have not measured (docs/estimation.md).
// It keeps the shapes used last, and forgets others. Thread-safe.
class ShapeBook {
 public:
  static constexpr std::size_t kMostShapes = 32;

  // `model` must outlive it.
  explicit ShapeBook(const LocalModel& model) : model_(model) {}

  // What is known of these shapes; null: nothing. The pointer changes only when what it says has
  // changed by more than a few per cent, so that it tells whether a plan table is still true.
  std::shared_ptr<const ShapeCosts> Get(const InputShapes& shapes) ABSL_LOCKS_EXCLUDED(mutex_);

  // A stretch of a chain has run at `shapes` from boundary `from` on, on a device that is slower by
  // `slowdown` than its profile.
  void AddRun(const LocalExit& exit, int from, const InputShapes& shapes, const ChainResult& run,
              double slowdown) ABSL_LOCKS_EXCLUDED(mutex_);

  // The edge took `ratio` times as long as its profile and its slow-down say.
  void AddTail(const InputShapes& shapes, double ratio) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Entry {
    ShapeCosts latest;
    std::map<std::pair<int, int>, int> runs;  // By exit and segment.
    int edge_runs = 0;
    std::shared_ptr<const ShapeCosts> published;
    std::list<InputShapes>::iterator use;
  };

  static void Publish(Entry& entry);
  Entry& Touch(const InputShapes& shapes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const LocalModel& model_;
  absl::Mutex mutex_;
  std::map<InputShapes, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::list<InputShapes> uses_ ABSL_GUARDED_BY(mutex_);  // The latest first.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_SHAPE_COSTS_H_
