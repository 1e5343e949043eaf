#include "runtime/segment_store.h"

#include "core/status_macros.h"

namespace cleave {

absl::StatusOr<SegmentStore::SessionPtr> SegmentStore::FindOrMake(
    const std::string& key, const std::function<absl::StatusOr<SessionPtr>()>& make) {
  if (const auto found = sessions_.find(key); found != sessions_.end()) return found->second;
  CLEAVE_ASSIGN_OR_RETURN(SessionPtr made, make());
  sessions_[key] = made;
  return made;
}

}  // namespace cleave
