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

// Sessions of segments by what they are made of, so that chains over the same stretch of a model
// hold one session together. Chains keep what they use, whatever becomes of the store.
// Thread-compatible.
class SegmentStore {
 public:
  using SessionPtr = std::shared_ptr<const ort::Session>;

  // The session kept under `key`; if there is none, what `make` gives, which is kept unless it is
  // an error.
  absl::StatusOr<SessionPtr> FindOrMake(const std::string& key,
                                        const std::function<absl::StatusOr<SessionPtr>()>& make);

 private:
  std::map<std::string, SessionPtr> sessions_;
};

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_SEGMENT_STORE_H_
