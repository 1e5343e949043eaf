#ifndef CLEAVE_CORE_FILE_H_
#define CLEAVE_CORE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// The whole file. NotFound, PermissionDenied, FailedPrecondition (a folder, device or pipe) or
// ResourceExhausted (larger than max_bytes) name the path.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::int64_t max_bytes = std::int64_t{1} << 33);

// Writes beside the path, then renames over it, so that a reader never sees half a file. Makes the
// folder.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// Where this user's derived data lives: $CLEAVE_CACHE_DIR, else $XDG_CACHE_HOME/cleave, else
// $HOME/.cache/cleave, else /tmp/cleave-cache-<uid>.
std::string CacheDir();

}  // namespace cleave

#endif  // CLEAVE_CORE_FILE_H_
