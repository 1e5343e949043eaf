#include "core/private_folder.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

namespace fs = std::filesystem;

absl::Status CheckOwner(const std::string& path, const struct stat& found, uid_t owner) {
  if (found.st_uid == owner) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(path, ": found a folder of user ", found.st_uid,
                                                    ", expected one of user ", owner));
}

}  // namespace

absl::Status CheckPrivateFolder(const std::string& path, uid_t owner) {
  struct stat link {};
  struct stat folder {};
  if (lstat(path.c_str(), &link) != 0) {
    return errno == ENOENT ? absl::OkStatus() : absl::ErrnoToStatus(errno, path);
  }
  CLEAVE_RETURN_IF_ERROR(CheckOwner(path, link, owner));
  if (stat(path.c_str(), &folder) != 0) return absl::ErrnoToStatus(errno, path);
  CLEAVE_RETURN_IF_ERROR(CheckOwner(path, folder, owner));
  if (!S_ISDIR(folder.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is no folder"));
  }
  if ((folder.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s: found the permissions %03o, which let others write there, expected "
                        "none of that (chmod go-w)",
                        path, folder.st_mode & 0777U));
  }
  return absl::OkStatus();
}

absl::Status MakePrivateFolder(const std::string& path) {
  std::error_code error;
  if (const fs::path parent = fs::path(path).parent_path(); !parent.empty()) {
    fs::create_directories(parent, error);
    if (error) {
      return absl::ErrnoToStatus(error.value(), absl::StrCat(parent.string(), ": cannot be made"));
    }
  }
  if (mkdir(path.c_str(), S_IRWXU) != 0 && errno != EEXIST) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be made"));
  }
  return CheckPrivateFolder(path);
}

}  // namespace cleave
