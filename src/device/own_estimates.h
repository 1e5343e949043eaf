#ifndef CLEAVE_DEVICE_OWN_ESTIMATES_H_
#define CLEAVE_DEVICE_OWN_ESTIMATES_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/plan.h"
#include "core/clock.h"
#include "device/encode_cost.h"
#include "device/finite_outputs.h"
#include "device/observe.h"
#include "policy/recent_runs.h"
#include "profile/slowdown.h"

namespace cleave {

// What a device has learned of itself from its own runs. Thread-safe.
class OwnEstimates {
 public:
  // The clock must outlive it.
  explicit OwnEstimates(const Clock& clock) : clock_(clock) {}

  // Some segments were run: what the profile predicts and what they took.
  void AddRun(double profile_us, double took_us) ABSL_LOCKS_EXCLUDED(mutex_);
  // One picture was decoded.
  void LearnPicture(double took_us) ABSL_LOCKS_EXCLUDED(mutex_);
  // A request was made of tensors that have `raw_bytes`.
  void LearnEncoding(Encoding encoding, double raw_bytes, double took_us)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // One inference has ended (RunHistory::Add).
  void AddInference(const EndedRun& run) ABSL_LOCKS_EXCLUDED(mutex_);

  // All but batch and deadline, which belong to an inference.
  OwnState State() const ABSL_LOCKS_EXCLUDED(mutex_);
  EncodeCost encode_cost() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Which outputs of its own runs were finite.
  FiniteOutputs& finite() { return finite_; }

 private:
  const Clock& clock_;
  FiniteOutputs finite_;
  mutable absl::Mutex mutex_;
  SlowdownTracker slowdown_ ABSL_GUARDED_BY(mutex_);
  EncodeCost encode_cost_ ABSL_GUARDED_BY(mutex_);
  RunHistory history_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_OWN_ESTIMATES_H_
