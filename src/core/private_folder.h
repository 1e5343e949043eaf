#ifndef CLEAVE_CORE_PRIVATE_FOLDER_H_
#define CLEAVE_CORE_PRIVATE_FOLDER_H_

#include <sys/types.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"

namespace cleave {

// Whether what lies in the folder can be trusted as this user's own: it belongs to `owner`, as the
// link that it may be does, and nobody else may write there. FailedPrecondition says what was found
// and what was expected. A folder that does not exist is fine.
absl::Status CheckPrivateFolder(const std::string& path, uid_t owner = geteuid());

// The same, and makes the folder, for its owner alone, where there is none.
absl::Status MakePrivateFolder(const std::string& path);

}  // namespace cleave

#endif  // CLEAVE_CORE_PRIVATE_FOLDER_H_
