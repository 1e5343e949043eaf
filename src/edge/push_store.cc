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

const char* ContentName(const PushOffer& offer) {
  return offer.content == PushOffer::Content::kModel ? "a model" : "codecs";
}

}  // namespace

PushStore::PushStore(Options options, Repository& repository)
    : options_(std::move(options)), repository_(repository) {}

std::string PushStore::PathOf(const PushOffer& offer) const {
  const std::string model = absl::StrCat(*options_.folder, "/", offer.name, ".onnx");
  return offer.content == PushOffer::Content::kModel ? model : CodecFile::PathFor(model);
}

absl::StatusOr<std::string> PushStore::Kept(const PushOffer& offer) const {
  const absl::Status none =
      absl::NotFoundError(absl::StrCat("push: '", offer.name, "' is not kept"));
  if (!options_.folder) return none;
  CLEAVE_ASSIGN_OR_RETURN(std::string bytes, ReadFile(PathOf(offer), options_.max_bytes));
  if (Sha256Hex(bytes) != offer.digest) return none;
  return bytes;
}

absl::Status PushStore::CheckSize(const PushOffer& offer) const {
  if (offer.size_bytes <= options_.max_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("push: found ", ContentName(offer), " of ",
                                                   offer.size_bytes, " bytes, expected at most ",
                                                   options_.max_bytes));
}

absl::StatusOr<PushDecision> PushStore::Begin(const PushOffer& offer) {
  if (!options_.allow) {
    return absl::PermissionDeniedError("push: this edge does not take models (--allow-push)");
  }
  CLEAVE_RETURN_IF_ERROR(CheckName(offer.name));
  CLEAVE_RETURN_IF_ERROR(CheckDigest(offer.digest));
  return offer.content == PushOffer::Content::kModel ? BeginModel(offer) : BeginCodecs(offer);
}

absl::StatusOr<PushDecision> PushStore::BeginModel(const PushOffer& offer) {
  if (const auto served = repository_.Find(offer.name); served.ok()) {
    if ((*served)->digest() == offer.digest) return PushDecision::kHaveIt;
    return absl::AlreadyExistsError(absl::StrCat("push: model '", offer.name, "' has the digest ",
                                                 (*served)->digest(), ", found ", offer.digest));
  }
  CLEAVE_RETURN_IF_ERROR(CheckSize(offer));
  const absl::StatusOr<std::string> kept = Kept(offer);
  if (!kept.ok()) return PushDecision::kSend;
  CLEAVE_RETURN_IF_ERROR(Serve(offer, *kept));
  return PushDecision::kHaveIt;
}

absl::StatusOr<PushDecision> PushStore::BeginCodecs(const PushOffer& offer) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> served,
                          repository_.Find(offer.name));
  if (served->info().codec_digest == offer.digest) return PushDecision::kHaveIt;
  CLEAVE_RETURN_IF_ERROR(CheckSize(offer));
  const absl::StatusOr<std::string> kept = Kept(offer);
  if (!kept.ok()) return PushDecision::kSend;
  CLEAVE_RETURN_IF_ERROR(Serve(offer, *kept));
  return PushDecision::kHaveIt;
}

absl::Status PushStore::Finish(const PushOffer& offer, const std::string& bytes) {
  const std::string found = Sha256Hex(bytes);
  if (found != offer.digest) {
    return absl::InvalidArgumentError(absl::StrCat(
        "push: model '", offer.name, "': found the digest ", found, ", expected ", offer.digest));
  }
  CLEAVE_RETURN_IF_ERROR(Serve(offer, bytes));
  return options_.folder ? WriteFileAtomically(PathOf(offer), bytes) : absl::OkStatus();
}

absl::Status PushStore::Serve(const PushOffer& offer, const std::string& bytes) {
  if (offer.content == PushOffer::Content::kModel) {
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph,
                            Graph::FromBytes(bytes, offer.name));
    return repository_.Add(offer.name, graph);
  }
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const CodecFile> codecs,
                          CodecFile::Read(bytes, absl::StrCat(offer.name, ".codec")));
  return repository_.SetCodecs(offer.name, std::move(codecs));
}

}  // namespace cleave
