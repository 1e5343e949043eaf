#ifndef CLEAVE_CORE_FILE_H_
#define CLEAVE_CORE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Reads the whole file. NotFound, PermissionDenied, FailedPrecondition (it is a folder, a device or
// a pipe) and ResourceExhausted (it is larger than max_bytes) name the path.
absl::StatusOr<std::string> ReadFile(const std::string& path,
                                     std::int64_t max_bytes = std::int64_t{1} << 33);

// Writes a temporary file beside the path and renames it over the path, so that a reader never sees
// half a file. Creates the folder if there is none.
absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes);

// Returns the folder for this user's derived data: $CLEAVE_CACHE_DIR, else $XDG_CACHE_HOME/cleave,
// else $HOME/.cache/cleave, else /tmp/cleave-cache-<uid>.
std::string CacheDir();

}  // namespace cleave

#endif  // CLEAVE_CORE_FILE_H_
