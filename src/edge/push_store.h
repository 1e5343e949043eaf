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

// Takes the models that devices send, and the codecs of models that are served. A pushed model may
// not refer to other files (external data).
// Thread-safe as long as at most one push is under way.
class PushStore {
 public:
  struct Options {
    bool allow = false;                 // Whether files are taken at all.
    std::optional<std::string> folder;  // Where they are kept; nothing: in memory alone.
    std::int64_t max_bytes = 0;
  };

  // `repository` must outlive the store.
  PushStore(Options options, Repository& repository);

  // Whether the file is wanted. kHaveIt: this very file is served, or was kept from an earlier
  // push and is served from now on. PermissionDenied where pushes are not allowed; InvalidArgument
  // for a bad name or digest; ResourceExhausted names both sizes; AlreadyExists for a name that
  // belongs to another model; NotFound for the codecs of a model that is not served.
  absl::StatusOr<PushDecision> Begin(const PushOffer& offer);

  // Checks the digest, builds the model or reads the codecs, serves and keeps them. Codecs take the
  // place of those that the model has; FailedPrecondition for those of another model.
  absl::Status Finish(const PushOffer& offer, const std::string& bytes);

 private:
  absl::StatusOr<PushDecision> BeginModel(const PushOffer& offer);
  absl::StatusOr<PushDecision> BeginCodecs(const PushOffer& offer);
  absl::Status Serve(const PushOffer& offer, const std::string& bytes);
  absl::Status CheckSize(const PushOffer& offer) const;
  std::string PathOf(const PushOffer& offer) const;
  // The bytes of this file where it was kept; NotFound where it was not.
  absl::StatusOr<std::string> Kept(const PushOffer& offer) const;

  const Options options_;
  Repository& repository_;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_PUSH_STORE_H_
