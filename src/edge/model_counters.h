#ifndef CLEAVE_EDGE_MODEL_COUNTERS_H_
#define CLEAVE_EDGE_MODEL_COUNTERS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/edge.h"
#include "wire/messages.h"

namespace cleave {

// Sums up what becomes of the inferences of each model. Thread-safe.
class ModelCounters {
 public:
  // Events that are no inferences of a model that there is are left out.
  void Add(const EdgeEvent& event);
  // Those of these models, in this order.
  std::vector<ModelCounts> Of(const std::vector<std::string>& models) const;
  // Forgets all others, so that names which come and go do not pile up.
  void KeepOnly(const std::vector<std::string>& models);

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, ModelCounts> counts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_MODEL_COUNTERS_H_
