#ifndef CLEAVE_CORE_PRIVATE_FOLDER_H_
#define CLEAVE_CORE_PRIVATE_FOLDER_H_

#include <sys/types.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"

namespace cleave {

// Checks that the content of the folder can be trusted as this user's own: the folder (and the
// symbolic link that leads to it, if there is one) belongs to `owner`, and nobody else may write
// there. FailedPrecondition says what was found and what was expected. A folder that does not exist
// is fine.
absl::Status CheckPrivateFolder(const std::string& path, uid_t owner = geteuid());

// Does the same check, and creates the folder, for its owner alone, where there is none.
absl::Status MakePrivateFolder(const std::string& path);

}  // namespace cleave

#endif  // CLEAVE_CORE_PRIVATE_FOLDER_H_
