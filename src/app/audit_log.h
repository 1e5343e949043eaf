#ifndef CLEAVE_APP_AUDIT_LOG_H_
#define CLEAVE_APP_AUDIT_LOG_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/edge.h"

namespace cleave::app {

struct AuditLogOptions {
  std::string path;
  enum class Detail : std::uint8_t { kActions, kInferencesToo };
  Detail detail = Detail::kActions;
  // Of what was refused, so many lines are written within a second; one line says how many more
  // there were.
  int refusals_per_s = 100;
};

// Adds what was done to an edge, and by whom, to a file: one JSON object a line (docs/access.md).
// Where the file was moved away, as log rotation does, another one is begun. Thread-safe.
class AuditLog {
 public:
  // Makes the file, for its owner alone, where there is none. PermissionDenied or Unavailable names
  // a file that cannot be written to.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(const AuditLogOptions& options);
  virtual ~AuditLog() = default;

  // Pushes, profiles, models and codecs that did not load, or were loaded or unloaded, changes of
  // the file of tokens, the beginning of a drain and, if asked for, inferences.
  virtual void Add(const EdgeEvent& event) = 0;
  // Calls that were refused for want of room, time or rights.
  virtual void Add(const EdgeCall& call) = 0;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_AUDIT_LOG_H_
