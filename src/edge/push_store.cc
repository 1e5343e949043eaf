#include "edge/push_store.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

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

// The models that are kept in a folder, and their sizes.
std::vector<std::pair<std::string, std::int64_t>> FilesIn(const std::string& folder) {
  std::vector<std::pair<std::string, std::int64_t>> files;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failed)) {
    if (entry.path().extension() != ".onnx") continue;
    const auto size = static_cast<std::int64_t>(entry.file_size(failed));
    if (!failed) files.emplace_back(entry.path().string(), size);
  }
  return files;
}

// No path of the server leaves it.
absl::Status CannotKeep() {
  return absl::ResourceExhaustedError("push: the file cannot be kept (is the disk full?)");
}

absl::Status Write(const std::string& path, const std::string& bytes) {
  return WriteFileAtomically(path, bytes).ok() ? absl::OkStatus() : CannotKeep();
}

// A pushed model as a file, until it has been tried. No name of a model begins with a dot.
class Candidate {
 public:
  Candidate(const std::optional<std::string>& folder, const std::string& name)
      : path_(absl::StrCat(folder ? *folder : fs::temp_directory_path().string(), "/.cleave-",
                           getpid(), "-", name, ".candidate")) {}
  ~Candidate() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  Candidate(const Candidate&) = delete;
  Candidate& operator=(const Candidate&) = delete;

  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

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
  CLEAVE_RETURN_IF_ERROR(MakeRoom(offer));
  const absl::StatusOr<std::string> kept = Kept(offer);
  if (!kept.ok()) return PushDecision::kSend;
  CLEAVE_RETURN_IF_ERROR(Serve(offer, *kept, Keep::kNo));
  return PushDecision::kHaveIt;
}

absl::StatusOr<PushDecision> PushStore::BeginCodecs(const PushOffer& offer) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const ServedModel> served,
                          repository_.Find(offer.name));
  if (served->info().codec_digest == offer.digest) return PushDecision::kHaveIt;
  CLEAVE_RETURN_IF_ERROR(CheckSize(offer));
  const absl::StatusOr<std::string> kept = Kept(offer);
  if (!kept.ok()) return PushDecision::kSend;
  CLEAVE_RETURN_IF_ERROR(Serve(offer, *kept, Keep::kNo));
  return PushDecision::kHaveIt;
}

absl::Status PushStore::Finish(const PushOffer& offer, const std::string& bytes) {
  const std::string found = Sha256Hex(bytes);
  if (found != offer.digest) {
    return absl::InvalidArgumentError(absl::StrCat(
        "push: model '", offer.name, "': found the digest ", found, ", expected ", offer.digest));
  }
  return Serve(offer, bytes, options_.folder ? Keep::kYes : Keep::kNo);
}

absl::Status PushStore::Serve(const PushOffer& offer, const std::string& bytes, Keep keep) {
  return offer.content == PushOffer::Content::kModel ? ServeModel(offer, bytes, keep)
                                                     : ServeCodecs(offer, bytes, keep);
}

absl::Status PushStore::ServeModel(const PushOffer& offer, const std::string& bytes, Keep keep) {
  CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<const Graph> graph,
                          Graph::FromBytes(bytes, offer.name));
  const Candidate candidate(options_.folder, offer.name);
  if (keep == Keep::kYes || options_.try_model) {
    CLEAVE_RETURN_IF_ERROR(Write(candidate.path(), bytes));
  }
  CLEAVE_RETURN_IF_ERROR(Try(offer, candidate.path()));
  if (keep == Keep::kYes) {
    std::error_code failed;
    fs::rename(candidate.path(), PathOf(offer), failed);
    if (failed) return CannotKeep();
  }
  CLEAVE_RETURN_IF_ERROR(repository_.Add(offer.name, graph));
  served_[offer.name] = static_cast<std::int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status PushStore::ServeCodecs(const PushOffer& offer, const std::string& bytes, Keep keep) {
  CLEAVE_ASSIGN_OR_RETURN(std::shared_ptr<const CodecFile> codecs,
                          CodecFile::Read(bytes, absl::StrCat(offer.name, ".codec")));
  CLEAVE_RETURN_IF_ERROR(repository_.CheckCodecs(offer.name, *codecs));
  if (keep == Keep::kYes) CLEAVE_RETURN_IF_ERROR(Write(PathOf(offer), bytes));
  return repository_.SetCodecs(offer.name, std::move(codecs));
}

// The client learns what is wrong with its model, but no path of the server.
absl::Status PushStore::Try(const PushOffer& offer, const std::string& path) const {
  if (!options_.try_model) return absl::OkStatus();
  absl::Status tried = options_.try_model(path);
  if (tried.ok()) return tried;
  return {tried.code(),
          absl::StrCat("push: ", absl::StrReplaceAll(tried.message(), {{path, offer.name}}))};
}

std::int64_t PushStore::TotalBytes() const {
  std::int64_t total = 0;
  if (!options_.folder) {
    for (const auto& [name, bytes] : served_) total += bytes;
    return total;
  }
  for (const auto& [path, bytes] : FilesIn(*options_.folder)) total += bytes;
  return total;
}

std::optional<std::string> PushStore::IdlestToEvict() const {
  std::optional<std::string> idlest;
  std::int64_t longest_us = options_.evict_idle_us - 1;
  for (const auto& [name, bytes] : served_) {
    const std::int64_t idle_us = repository_.IdleUs(name);
    if (idle_us <= longest_us) continue;
    longest_us = idle_us;
    idlest = name;
  }
  return idlest;
}

void PushStore::Evict(const std::string& name) {
  repository_.Remove(name);
  served_.erase(name);
  if (!options_.folder) return;
  std::error_code ignored;
  const std::string model = PathOf({.name = name});
  fs::remove(model, ignored);
  fs::remove(CodecFile::PathFor(model), ignored);
}

absl::Status PushStore::MakeRoom(const PushOffer& offer) {
  while (static_cast<int>(served_.size()) >= options_.max_models) {
    const std::optional<std::string> idlest = IdlestToEvict();
    if (!idlest) {
      return absl::ResourceExhaustedError(
          absl::StrCat("push: found ", served_.size(),
                       " pushed models in use, expected fewer than ", options_.max_models));
    }
    Evict(*idlest);
  }
  // Files that no model is served of go first.
  if (options_.folder) {
    for (const auto& [path, bytes] : FilesIn(*options_.folder)) {
      if (TotalBytes() + offer.size_bytes <= options_.max_total_bytes) break;
      const std::string name = fs::path(path).stem().string();
      if (!served_.contains(name) && name != offer.name) Evict(name);
    }
  }
  while (TotalBytes() + offer.size_bytes > options_.max_total_bytes) {
    const std::optional<std::string> idlest = IdlestToEvict();
    if (!idlest) {
      return absl::ResourceExhaustedError(
          absl::StrCat("push: found ", offer.size_bytes, " bytes beside ", TotalBytes(),
                       " of other pushed models, expected at most ", options_.max_total_bytes));
    }
    Evict(*idlest);
  }
  return absl::OkStatus();
}

}  // namespace cleave
