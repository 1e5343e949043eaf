#ifndef CLEAVE_EDGE_PUSH_STORE_H_
#define CLEAVE_EDGE_PUSH_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "edge/repository.h"
#include "wire/server.h"

namespace cleave {

// Takes the models that devices send, and the codecs of models that are served. A pushed model may
// not refer to other files (external data). It is tried, then kept, then served: what cannot be
// kept is not served. Where there are too many, those that were not asked for during some time make
// room, the idlest first. Thread-safe as long as at most one push is under way.
class PushStore {
 public:
  struct Options {
    bool allow = false;                 // Whether files are taken at all.
    std::optional<std::string> folder;  // Where they are kept; nothing: in memory alone.
    std::int64_t max_bytes = 0;
    int max_models = 8;  // Pushed models that are served at the same time.
    std::int64_t max_total_bytes = std::int64_t{4} << 30;  // Of all files of models.
    std::int64_t evict_idle_us = 600'000'000;  // One that was idle for so long may make room.
    // Loads a file and runs it, where that can do no harm; an error refuses it. Empty: no trial.
    std::function<absl::Status(const std::string&)> try_model;
  };

  // `repository` must outlive the store.
  PushStore(Options options, Repository& repository);

  // Whether the file is wanted. kHaveIt: this very file is served, or was kept from an earlier
  // push and is served from now on. PermissionDenied where pushes are not allowed; InvalidArgument
  // for a bad name or digest; ResourceExhausted names both sizes, or the quota; AlreadyExists for a
  // name that belongs to another model; NotFound for the codecs of a model that is not served.
  absl::StatusOr<PushDecision> Begin(const PushOffer& offer);

  // Checks the digest, builds the model or reads the codecs, serves and keeps them. Codecs take the
  // place of those that the model has; FailedPrecondition for those of another model.
  absl::Status Finish(const PushOffer& offer, const std::string& bytes);

 private:
  absl::StatusOr<PushDecision> BeginModel(const PushOffer& offer);
  absl::StatusOr<PushDecision> BeginCodecs(const PushOffer& offer);
  // Serves a file, and before that keeps it where `keep` says so.
  enum class Keep : std::uint8_t { kNo, kYes };
  absl::Status Serve(const PushOffer& offer, const std::string& bytes, Keep keep);
  absl::Status ServeModel(const PushOffer& offer, const std::string& bytes, Keep keep);
  absl::Status ServeCodecs(const PushOffer& offer, const std::string& bytes, Keep keep);
  absl::Status Try(const PushOffer& offer, const std::string& path) const;
  // Unloads and removes what may go, until the offer fits. ResourceExhausted where it does not.
  absl::Status MakeRoom(const PushOffer& offer);
  std::optional<std::string> IdlestToEvict() const;
  void Evict(const std::string& name);
  std::int64_t TotalBytes() const;
  absl::Status CheckSize(const PushOffer& offer) const;
  std::string PathOf(const PushOffer& offer) const;
  // The bytes of this file where it was kept; NotFound where it was not.
  absl::StatusOr<std::string> Kept(const PushOffer& offer) const;

  const Options options_;
  Repository& repository_;
  std::map<std::string, std::int64_t> served_;  // The sizes of pushed models, by name.
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_PUSH_STORE_H_
