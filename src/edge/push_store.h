#ifndef CLEAVE_EDGE_PUSH_STORE_H_
#define CLEAVE_EDGE_PUSH_STORE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/repository.h"
#include "wire/server.h"

namespace cleave {

// Takes the models that devices send. A pushed file may not refer to others (external data).
// Thread-safe as long as at most one push is under way.
class PushStore {
 public:
  struct Options {
    bool allow = false;                 // Whether models are taken at all.
    std::optional<std::string> folder;  // Where they are kept; nothing: in memory alone.
    std::int64_t max_bytes = 0;
  };

  // `repository` must outlive the store.
  PushStore(Options options, Repository& repository);

  // Whether the file is wanted. kHaveIt: this very model is served, or was kept from an earlier
  // push and is served from now on. PermissionDenied where pushes are not allowed; InvalidArgument
  // for a bad name or digest; ResourceExhausted names both sizes; AlreadyExists for a name that
  // belongs to another model.
  absl::StatusOr<PushDecision> Begin(const std::string& name, const std::string& digest,
                                     std::int64_t size_bytes);

  // Checks the digest, builds the model, keeps the file, serves it.
  absl::Status Finish(const std::string& name, const std::string& digest, const std::string& bytes);

 private:
  std::string PathOf(const std::string& name) const;
  // The bytes of a model that was kept; NotFound where it was not.
  absl::StatusOr<std::string> Kept(const std::string& name) const;

  const Options options_;
  Repository& repository_;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_PUSH_STORE_H_
