#ifndef CLEAVE_EDGE_PROFILE_STORE_H_
#define CLEAVE_EDGE_PROFILE_STORE_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "edge/admission.h"
#include "edge/served_model.h"
#include "profile/profile.h"
#include "runtime/options.h"
#include "wire/server.h"

namespace cleave {

// The profiles of the models that an edge serves: kept in memory and in the cache folder, measured
// when asked for the first time, with all workers to itself. Several who ask for one model and
// exit share one measurement. Thread-safe.
class ProfileStore {
 public:
  // `admission` must outlive the store. No input of a measurement is larger than `max_input_bytes`.
  ProfileStore(RuntimeOptions runtime, Admission& admission, std::int64_t max_input_bytes);

  // JSON of a profile of the way to this exit with at least these batch sizes. REQUIRES: the model
  // has the exit. InvalidArgument for batch sizes that make no sense; what Admission::Enter says;
  // Cancelled.
  absl::StatusOr<std::string> Get(const ServedModel& model, int exit,
                                  const std::vector<std::int64_t>& batches,
                                  const CallContext& context);

 private:
  using Key = std::pair<std::string, int>;  // Digest and exit.

  absl::Status CheckBatches(const ServedModel& model, int exit,
                            const std::vector<std::int64_t>& batches) const;
  // Waits until nobody measures this key. kMeasure: the caller has to measure, and then to call
  // EndMeasuring.
  enum class Next { kUseKnown, kMeasure };
  absl::StatusOr<Next> BeginMeasuring(const Key& key, const std::vector<std::int64_t>& batches,
                                      const CallContext& context);
  void EndMeasuring(const Key& key);
  absl::Status Measure(const ServedModel& model, int exit, const std::vector<std::int64_t>& batches,
                       const CallContext& context);
  Profile Known(const Key& key) const;

  const RuntimeOptions runtime_;
  Admission& admission_;
  const std::int64_t max_input_bytes_;
  mutable absl::Mutex mutex_;
  std::map<Key, Profile> by_key_ ABSL_GUARDED_BY(mutex_);
  std::set<Key> measuring_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_PROFILE_STORE_H_
