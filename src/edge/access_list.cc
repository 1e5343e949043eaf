#include "edge/access_list.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/printable.h"
#include "core/sha256.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kLookEveryUs = 1'000'000;
constexpr std::size_t kMaxName = 128;
constexpr char kForm[] = "IDENTITY ROLE[,ROLE] SHA-256-OF-TOKEN or IDENTITY ROLE[,ROLE] cert:NAME";

// A name begins with a letter, so that none looks like an address, by which others are known.
bool IsIdentity(absl::string_view name) {
  const auto allowed = [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-' || c == '@';
  };
  return !name.empty() && name.size() <= kMaxName &&
         absl::ascii_isalpha(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::optional<Permission> RoleOf(absl::string_view name) {
  if (name == "infer") return Permission::kInfer;
  if (name == "profile") return Permission::kProfile;
  if (name == "push") return Permission::kPush;
  if (name == "admin") return Permission::kAdmin;
  return std::nullopt;
}

absl::string_view NameOf(Permission role) {
  switch (role) {
    case Permission::kInfer:
      return "infer";
    case Permission::kProfile:
      return "profile";
    case Permission::kPush:
      return "push";
    case Permission::kAdmin:
      return "admin";
    default:
      return "any";
  }
}

bool May(const std::set<Permission>& roles, Permission needed) {
  return needed == Permission::kNone || needed == Permission::kKnown || roles.contains(needed) ||
         roles.contains(Permission::kAdmin);
}

absl::StatusOr<AccessEntry> ParseLine(absl::string_view line, const std::string& where) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t\r"), absl::SkipEmpty());
  if (words.size() != 3) return FieldError(where, absl::StrCat(words.size(), " words"), kForm);
  AccessEntry entry;
  entry.identity = std::string(words[0]);
  if (!IsIdentity(words[0])) {
    return FieldError(where, absl::StrCat("the identity '", Printable(words[0]), "'"),
                      "a letter, and then letters, digits, . _ - and @");
  }
  for (const absl::string_view name : absl::StrSplit(words[1], ',')) {
    const std::optional<Permission> role = RoleOf(name);
    if (!role) {
      return FieldError(where, absl::StrCat("the role '", Printable(name), "'"),
                        "infer, profile, push or admin");
    }
    entry.roles.insert(*role);
  }
  absl::string_view proof = words[2];
  if (absl::ConsumePrefix(&proof, "cert:")) {
    entry.certificate = std::string(proof);
    if (proof.empty()) return FieldError(where, "no name of a certificate", kForm);
    return entry;
  }
  entry.token_digest = absl::AsciiStrToLower(proof);
  CLEAVE_RETURN_IF_ERROR(CheckDigest(where, entry.token_digest));
  return entry;
}

absl::Status Unauthenticated(const char* why) {
  return Refused(Refusal::kUnauthenticated, absl::UnauthenticatedError(why));
}

}  // namespace

absl::StatusOr<std::vector<AccessEntry>> ParseAccessList(absl::string_view text,
                                                         const std::string& origin) {
  std::vector<AccessEntry> entries;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    CLEAVE_ASSIGN_OR_RETURN(AccessEntry entry,
                            ParseLine(line, absl::StrCat(origin, ": line ", number)));
    entries.push_back(std::move(entry));
  }
  if (entries.empty()) return FieldError(origin, "no line", kForm);
  return entries;
}

AccessList::AccessList(Options options) : options_(std::move(options)), watch_(options_.file) {}

absl::StatusOr<std::unique_ptr<AccessList>> AccessList::Open(Options options) {
  std::unique_ptr<AccessList> list(new AccessList(std::move(options)));
  const absl::MutexLock lock(&list->mutex_);
  if (list->options_.file.empty()) return list;
  list->watch_.Changed();
  CLEAVE_RETURN_IF_ERROR(list->Read());
  return list;
}

absl::Status AccessList::Read() {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadSecretFile(options_.file));
  CLEAVE_ASSIGN_OR_RETURN(entries_, ParseAccessList(text, options_.file));
  return absl::OkStatus();
}

void AccessList::ReadAgain() {
  absl::Status read;
  {
    const absl::MutexLock lock(&mutex_);
    const std::int64_t now_us = Clock::Steady().NowUs();
    if (now_us < look_at_us_) return;
    look_at_us_ = now_us + kLookEveryUs;
    if (!watch_.Changed()) return;
    read = Read();
  }
  if (options_.on_reload) options_.on_reload(read);
}

absl::StatusOr<AccessEntry> AccessList::Find(const Credentials& credentials) const {
  const std::string digest = credentials.token.empty() ? "" : Sha256Hex(credentials.token);
  const absl::MutexLock lock(&mutex_);
  std::optional<AccessEntry> found;
  // All entries are compared, so that the time tells nothing of which one it was.
  for (const AccessEntry& entry : entries_) {
    const bool by_token = EqualInConstantTime(entry.token_digest, digest) && !digest.empty();
    const bool by_certificate =
        !credentials.has_token && !entry.certificate.empty() &&
        std::find(credentials.certificate_names.begin(), credentials.certificate_names.end(),
                  entry.certificate) != credentials.certificate_names.end();
    if ((by_token || by_certificate) && !found) found = entry;
  }
  if (found) return *std::move(found);
  return Unauthenticated(
      credentials.has_token
          ? "the token: found one that nobody has, expected one of the edge's file of tokens"
          : "the credentials: found none that the edge knows, expected a bearer token");
}

absl::StatusOr<std::string> AccessList::Authorize(const Credentials& credentials,
                                                  Permission needed) {
  if (options_.file.empty()) {
    const std::vector<std::string>& names = credentials.certificate_names;
    const auto name = std::find_if(names.begin(), names.end(),
                                   [](const std::string& each) { return IsIdentity(each); });
    if (needed != Permission::kAdmin) return name == names.end() ? std::string() : *name;
    return Refused(Refusal::kPermission,
                   absl::PermissionDeniedError(
                       "the role admin: found no file of tokens at the edge, expected one"));
  }
  ReadAgain();
  const absl::StatusOr<AccessEntry> who = Find(credentials);
  if (!who.ok())
    return needed == Permission::kNone ? absl::StatusOr<std::string>("") : who.status();
  if (May(who->roles, needed)) return who->identity;
  return Refused(Refusal::kPermission, absl::PermissionDeniedError(absl::StrCat(
                                           "the roles of '", who->identity, "': found none of ",
                                           NameOf(needed), ", expected it for this call")));
}

}  // namespace cleave
