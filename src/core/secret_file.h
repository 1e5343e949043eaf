#ifndef CLEAVE_CORE_SECRET_FILE_H_
#define CLEAVE_CORE_SECRET_FILE_H_

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Reads a file that only its owner, perhaps with a group, may read, and only its owner may write;
// the owner is this user or root. FailedPrecondition says what was found and what was expected;
// else the errors of ReadFile.
absl::StatusOr<std::string> ReadSecretFile(const std::string& path);

// Tells whether a file was replaced or written since the last time. Thread-compatible.
class FileWatch {
 public:
  explicit FileWatch(std::string path) : path_(std::move(path)) {}

  // True the first time, and again once the file is another one, has other contents by its size or
  // its times, or has come or gone.
  bool Changed();

 private:
  struct Version {
    ino_t file = 0;
    off_t bytes = 0;
    std::int64_t written_ns = 0;
    std::int64_t changed_ns = 0;
    friend bool operator==(const Version&, const Version&) = default;
  };

  const std::string path_;
  std::optional<Version> seen_;
};

// Compares two texts in a time that depends on their lengths alone.
bool EqualInConstantTime(absl::string_view a, absl::string_view b);

}  // namespace cleave

#endif  // CLEAVE_CORE_SECRET_FILE_H_
