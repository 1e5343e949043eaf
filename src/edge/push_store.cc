#include "edge/push_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::size_t kMaxName = 128;

absl::Status CheckName(const std::string& name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  if (!name.empty() && name.size() <= kMaxName && name.front() != '.' &&
      std::all_of(name.begin(), name.end(), allowed)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("push: found the name '", name.substr(0, kMaxName),
                                                 "', expected 1 to ", kMaxName,
                                                 " of A-Z a-z 0-9 . _ - and no dot in front"));
}

absl::Status CheckDigest(const std::string& digest) {
  const auto hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (digest.size() == 64 && std::all_of(digest.begin(), digest.end(), hex)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("push: found the digest '", digest.substr(0, 64),
                                                 "', expected 64 lower-case hex digits"));
}

}  // namespace

PushStore::PushStore(Options options, Repository& repository)
    : options_(std::move(options)), repository_(repository) {}

std::string PushStore::PathOf(const std::string& name) const {
  return absl::StrCat(*options_.folder, "/", name, ".onnx");
}

absl::StatusOr<std::string> PushStore::Kept(const std::string& name) const {
  if (!options_.folder) return absl::NotFoundError(absl::StrCat("push: '", name, "' is not kept"));
  return ReadFile(PathOf(name), options_.max_bytes);
}

absl::StatusOr<PushDecision> PushStore::Begin(const std::string& name, const std::string& digest,
                                              std::int64_t size_bytes) {
  if (!options_.allow) {
    return absl::PermissionDeniedError("push: this edge does not take models (--allow-push)");
  }
  CLEAVE_RETURN_IF_ERROR(CheckName(name));
  CLEAVE_RETURN_IF_ERROR(CheckDigest(digest));
  if (const auto served = repository_.Find(name); served.ok()) {
    if ((*served)->digest() == digest) return PushDecision::kHaveIt;
    return absl::AlreadyExistsError(absl::StrCat("push: model '", name, "' has the digest ",
                                                 (*served)->digest(), ", found ", digest));
  }
  if (size_bytes > options_.max_bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "push: found a model of ", size_bytes, " bytes, expected at most ", options_.max_bytes));
  }
  const absl::StatusOr<std::string> kept = Kept(name);
  if (!kept.ok() || Sha256Hex(*kept) != digest) return PushDecision::kSend;
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::FromBytes(*kept, name));
  CLEAVE_RETURN_IF_ERROR(repository_.Add(name, graph));
  return PushDecision::kHaveIt;
}

absl::Status PushStore::Finish(const std::string& name, const std::string& digest,
                               const std::string& bytes) {
  const std::string found = Sha256Hex(bytes);
  if (found != digest) {
    return absl::InvalidArgumentError(
        absl::StrCat("push: model '", name, "': found the digest ", found, ", expected ", digest));
  }
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph, Graph::FromBytes(bytes, name));
  CLEAVE_RETURN_IF_ERROR(repository_.Add(name, graph));
  return options_.folder ? WriteFileAtomically(PathOf(name), bytes) : absl::OkStatus();
}

}  // namespace cleave
