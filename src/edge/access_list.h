#ifndef CLEAVE_EDGE_ACCESS_LIST_H_
#define CLEAVE_EDGE_ACCESS_LIST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "core/secret_file.h"
#include "wire/server.h"

namespace cleave {

// One line of the file of tokens: what somebody who presents this may do.
struct AccessEntry {
  std::string identity;
  std::set<Permission> roles;
  std::string token_digest;  // The SHA-256 of a token, 64 hex digits; empty: there is none.
  std::string certificate;   // A name in a certificate; empty: there is none.
};

// Reads the file's text (docs/access.md). InvalidArgument names the origin, the line, what was
// found and what was expected.
absl::StatusOr<std::vector<AccessEntry>> ParseAccessList(absl::string_view text,
                                                         const std::string& origin);

// Says who the peer of a call is, and whether it may make it. Without a file, whoever asks may do
// all but what needs the role admin, and is known by its certificate's first name if it has one.
// Thread-safe.
class AccessList {
 public:
  struct Options {
    std::string file;  // Empty: there is none. It is read again when it has changed.
    // Called with what came of reading it again; an error keeps the list as it was.
    std::function<void(const absl::Status&)> on_reload;
  };

  // FailedPrecondition for a file that others may read or write; else the errors of ReadFile and
  // ParseAccessList.
  static absl::StatusOr<std::unique_ptr<AccessList>> Open(Options options);

  // Unauthenticated, or PermissionDenied that names the identity and the role that it lacks.
  absl::StatusOr<std::string> Authorize(const Credentials& credentials, Permission needed);

 private:
  explicit AccessList(Options options);
  absl::Status Read() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadAgain() ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<AccessEntry> Find(const Credentials& credentials) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  FileWatch watch_ ABSL_GUARDED_BY(mutex_);
  std::int64_t look_at_us_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<AccessEntry> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_ACCESS_LIST_H_
