#ifndef CLEAVE_EDGE_PATH_REDACTOR_H_
#define CLEAVE_EDGE_PATH_REDACTOR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Takes the folders of a server out of what it says to its peers: where a message names a file in
// one of them, the name alone is left. Thread-safe.
class PathRedactor {
 public:
  // As they are given, and as the system resolves them.
  explicit PathRedactor(const std::vector<std::string>& folders);

  std::string Redact(absl::string_view text) const;
  // The same status with such a message.
  absl::Status Redact(const absl::Status& status) const;

 private:
  std::vector<std::string> prefixes_;  // Without a slash at the end; the longest come first.
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_PATH_REDACTOR_H_
