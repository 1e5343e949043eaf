#include "core/file.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace fs = std::filesystem;

absl::StatusOr<std::string> ReadFile(const std::string& path, std::int64_t max_bytes) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (status.type() == fs::file_type::not_found) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  if (status.type() == fs::file_type::directory) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": is a folder, expected a file"));
  }
  if (fs::exists(status) && status.type() != fs::file_type::regular) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a device or a pipe, expected a file"));
  }
  std::ifstream in(path, std::ios::binary | std::ios::ate);
  if (!in) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  const std::int64_t size = in.tellg();
  if (size > max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(path, ": found ", size, " bytes, expected at most ", max_bytes));
  }
  std::string bytes(static_cast<std::size_t>(size > 0 ? size : 0), '\0');
  in.seekg(0);
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!in) return absl::DataLossError(absl::StrCat(path, ": reading broke off"));
  return bytes;
}

absl::Status WriteFileAtomically(const std::string& path, absl::string_view bytes) {
  std::error_code error;
  const fs::path target(path);
  if (target.has_parent_path()) {
    fs::create_directories(target.parent_path(), error);
    if (error) {
      return absl::ErrnoToStatus(error.value(),
                                 absl::StrCat(target.parent_path().string(), ": cannot be made"));
    }
  }
  // Threads may write one path at the same time.
  static std::atomic<std::uint64_t> writes{0};
  const std::string temporary = absl::StrCat(path, ".", getpid(), ".", ++writes, ".tmp");
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) return absl::ErrnoToStatus(errno, absl::StrCat(temporary, ": cannot be written"));
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.flush();
    if (!out) {
      fs::remove(temporary, error);
      return absl::DataLossError(absl::StrCat(temporary, ": writing broke off (disk full?)"));
    }
  }
  fs::rename(temporary, target, error);
  if (error) {
    const int code = error.value();
    fs::remove(temporary, error);
    return absl::ErrnoToStatus(code, absl::StrCat(path, ": cannot be replaced"));
  }
  return absl::OkStatus();
}

std::string CacheDir() {
  if (const char* dir = std::getenv("CLEAVE_CACHE_DIR"); dir != nullptr && *dir != '\0') return dir;
  if (const char* dir = std::getenv("XDG_CACHE_HOME"); dir != nullptr && *dir != '\0') {
    return absl::StrCat(dir, "/cleave");
  }
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return absl::StrCat(home, "/.cache/cleave");
  }
  return absl::StrCat("/tmp/cleave-cache-", getuid());
}

}  // namespace cleave
