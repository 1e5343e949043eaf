#ifndef CLEAVE_RUNTIME_SEGMENT_STORE_H_
#define CLEAVE_RUNTIME_SEGMENT_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace cleave {

namespace ort {
class Session;
}  // namespace ort

// Holds the sessions of segments by their content, so that chains over the same stretch of a model
// share one session. Chains keep the sessions that they use alive, even without the store.
// Thread-compatible.
class SegmentStore {
 public:
  using SessionPtr = std::shared_ptr<const ort::Session>;

  // Returns the session kept under `key`; if there is none, calls `make` and keeps its result
  // unless it is an error.
  absl::StatusOr<SessionPtr> FindOrMake(const std::string& key,
                                        const std::function<absl::StatusOr<SessionPtr>()>& make);

 private:
  std::map<std::string, SessionPtr> sessions_;
};

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_SEGMENT_STORE_H_
