#ifndef CLEAVE_EDGE_PROFILE_STORE_H_
#define CLEAVE_EDGE_PROFILE_STORE_H_

#include <cstdint>
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

// Holds the profiles of the models that an edge serves, in memory and in the cache folder. A
// profile is measured when it is first asked for, in slices of at most 100 ms or one pass through
// the model, between which requests have their turn; nothing else runs during a slice. Callers that
// ask for the same model and exit at once share one measurement. Thread-safe.
class ProfileStore {
 public:
  // What may be measured.
  struct Limits {
    std::int64_t max_input_bytes = 0;  // Of each input.
    std::int64_t max_batch = 0;
  };

  // `admission` must outlive the store.
  ProfileStore(RuntimeOptions runtime, Admission& admission, const Limits& limits);

  // The JSON of a profile of the path to this exit, with at least the shapes asked for. It blocks
  // while the profile is measured. InvalidArgument for shapes that make no sense; the errors of
  // Admission::Enter; ResourceExhausted where 256 shapes of it are known; Cancelled. REQUIRES: the
  // model has the exit.
  absl::StatusOr<std::string> Get(const ServedModel& model, int exit, const ProfileQuery& query,
                                  const CallContext& context);

 private:
  using Key = std::pair<std::string, int>;  // The digest and the exit.

  absl::StatusOr<std::vector<InputShapes>> PointsOf(const ServedModel& model, int exit,
                                                    const ProfileQuery& query) const;
  absl::Status CheckPoint(const Graph& graph, const InputShapes& shapes) const;
  // Waits until nobody measures this key. After kMeasure the caller has to measure, and then to
  // call EndMeasuring.
  enum class Next { kUseKnown, kMeasure };
  absl::StatusOr<Next> BeginMeasuring(const Key& key, const std::vector<InputShapes>& points,
                                      const CallContext& context);
  void EndMeasuring(const Key& key);
  absl::Status Measure(const ServedModel& model, int exit, const std::vector<InputShapes>& points,
                       const CallContext& context);
  Profile Known(const Key& key) const;
  void Keep(const Key& key, const Profile& profile);

  const RuntimeOptions runtime_;
  Admission& admission_;
  const Limits limits_;
  mutable absl::Mutex mutex_;
  std::map<Key, Profile> by_key_ ABSL_GUARDED_BY(mutex_);
  std::set<Key> measuring_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_PROFILE_STORE_H_
