#ifndef CLEAVE_EDGE_COST_ESTIMATOR_H_
#define CLEAVE_EDGE_COST_ESTIMATOR_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"

namespace cleave {

// The kind of a run. Runs of one kind cost about the same.
struct RunKind {
  std::string model;
  std::optional<int> exit;  // Nothing: all exits.
  int cut = 0;
  std::int64_t elements = 0;  // Of the tensors that arrive, which tell batch and size.
  // What is decoded first: nothing, frames (of t1 to t6 or of others), or pictures.
  enum class Decoding : std::uint8_t { kNone, kFrames, kCodecFrames, kPictures };
  Decoding decoding = Decoding::kNone;

  std::int64_t items = 1;  // The batch, which is told by `elements`, too.

  friend bool operator<(const RunKind& a, const RunKind& b) {
    return std::tie(a.model, a.exit, a.cut, a.elements, a.decoding) <
           std::tie(b.model, b.exit, b.cut, b.elements, b.decoding);
  }
};

// Estimates how long runs take, from recent ones, by exponentially weighted means: of each kind;
// for a kind that was never seen, of the time of an element, of runs that differ in their size
// alone; and where there were none, of the time of an item of a batch, of all runs. So one run of a
// large batch tells little of a small one. Thread-safe.
class CostEstimator {
 public:
  // `clock` must outlive the estimator.
  explicit CostEstimator(const Clock& clock = Clock::Steady()) : clock_(clock) {}

  // A run has ended.
  void Observe(const RunKind& kind, double compute_us);
  // A run was broken off after `elapsed_us`, and would have taken longer.
  void ObserveBrokenOff(const RunKind& kind, double elapsed_us);
  // What a run of this kind is expected to take; 0 before any run.
  double ExpectedUs(const RunKind& kind) const;
  // Whether no run of this kind was observed during the last second: what is expected of it may
  // have changed since, and only another run can tell.
  bool IsOutOfDate(const RunKind& kind) const;

 private:
  static constexpr std::size_t kMaxKinds = 4096;

  struct Cost {
    double mean_us = 0;
    std::int64_t observed_us = 0;  // By the clock, the last time.
  };

  void Add(const RunKind& kind, double compute_us) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<RunKind, Cost> by_kind_ ABSL_GUARDED_BY(mutex_);
  std::map<RunKind, double> element_us_ ABSL_GUARDED_BY(mutex_);  // By the kind of any size.
  double item_us_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_COST_ESTIMATOR_H_
