#ifndef CLEAVE_DEVICE_FINITE_OUTPUTS_H_
#define CLEAVE_DEVICE_FINITE_OUTPUTS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "cleave/tensor.h"

namespace cleave {

// Whether a tensor holds NaN or infinity, which integers, texts and truth values never do.
bool IsFinite(const Tensor& tensor);

// Refuses NaN and infinity of an edge in outputs in which the model's own runs on the device have
// given none. Thread-safe.
class FiniteOutputs {
 public:
  // A run on the device gave these.
  void Learn(const std::vector<NamedTensor>& outputs) ABSL_LOCKS_EXCLUDED(mutex_);
  // DataLoss names the output that is not finite, although no run on the device has shown that it
  // can be so.
  absl::Status Check(const std::vector<NamedTensor>& outputs) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::set<std::string> not_finite_ ABSL_GUARDED_BY(mutex_);  // The names of such outputs.
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_FINITE_OUTPUTS_H_
