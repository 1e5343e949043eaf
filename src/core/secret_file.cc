#include "core/secret_file.h"

#include <openssl/crypto.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxBytes = 16 << 20;
constexpr mode_t kOthersRead = S_IRWXO;
constexpr mode_t kGroupWrites = S_IWGRP;

std::int64_t Nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

absl::Status CheckSecret(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return absl::OkStatus();  // ReadFile says why.
  if ((found.st_mode & (kOthersRead | kGroupWrites)) != 0) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s: found mode %04o, expected 0640 or less (chmod o=,g-w)", path, found.st_mode & 07777U));
  }
  if (found.st_uid == geteuid() || found.st_uid == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      path, ": found the owner ", found.st_uid, ", expected this user (", geteuid(), ") or root"));
}

}  // namespace

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  CLEAVE_RETURN_IF_ERROR(CheckSecret(path));
  return ReadFile(path, kMaxBytes);
}

bool FileWatch::Changed() {
  struct stat found {};
  Version now;
  if (stat(path_.c_str(), &found) == 0) {
    now = {found.st_ino, found.st_size, Nanoseconds(found.st_mtim), Nanoseconds(found.st_ctim)};
  }
  if (seen_ == now) return false;
  seen_ = now;
  return true;
}

bool EqualInConstantTime(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace cleave
