#include "app/audit_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/clock.h"
#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::app {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t kSecondUs = 1'000'000;

Json JsonOf(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(Shortened(text));
}

class AuditLogImpl final : public AuditLog {
 public:
  explicit AuditLogImpl(const AuditLogOptions& options) : options_(options) {}
  ~AuditLogImpl() override {
    const absl::MutexLock lock(&mutex_);
    TellSuppressed();
    if (file_ >= 0) close(file_);
  }

  absl::Status Open() {
    const absl::MutexLock lock(&mutex_);
    return Reopen();
  }

  void Add(const EdgeEvent& event) override {
    using enum EdgeEventKind;
    // Refused calls come as calls, too.
    if (event.kind == kRefused || event.kind == kError) return;
    if (event.kind == kInfer && options_.detail == AuditLogOptions::Detail::kActions) return;
    const absl::MutexLock lock(&mutex_);
    Write({{"action", std::string(EdgeEventKindName(event.kind))},
           {"peer", JsonOf(event.peer)},
           {"identity", JsonOf(event.identity)},
           {"model", JsonOf(event.model)},
           {"code", absl::StatusCodeToString(event.code)},
           {"error", JsonOf(event.error)}});
  }

  void Add(const EdgeCall& call) override {
    if (!call.refusal) return;
    const absl::MutexLock lock(&mutex_);
    if (!MayTellOfRefusal()) return;
    Write({{"action", "refused"},
           {"peer", JsonOf(call.peer)},
           {"identity", JsonOf(call.identity)},
           {"method", call.method},
           {"reason", std::string(RefusalName(*call.refusal))},
           {"code", absl::StatusCodeToString(call.code)},
           {"error", JsonOf(call.error)}});
  }

 private:
  absl::Status Reopen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (file_ >= 0) close(file_);
    file_ = open(options_.path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file_ >= 0) return absl::OkStatus();
    return absl::ErrnoToStatus(errno, absl::StrCat(options_.path, ": cannot be written to"));
  }

  void FollowRotation() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    struct stat now {};
    struct stat ours {};
    const bool same = stat(options_.path.c_str(), &now) == 0 && file_ >= 0 &&
                      fstat(file_, &ours) == 0 && now.st_ino == ours.st_ino &&
                      now.st_dev == ours.st_dev;
    if (!same) Reopen().IgnoreError();
  }

  // A peer must not fill the disk.
  bool MayTellOfRefusal() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::int64_t now_us = Clock::Steady().NowUs();
    if (now_us - second_us_ >= kSecondUs) {
      TellSuppressed();
      second_us_ = now_us;
      told_ = 0;
    }
    if (told_++ < options_.refusals_per_s) return true;
    ++suppressed_;
    return false;
  }

  void TellSuppressed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (suppressed_ == 0) return;
    Write({{"action", "refused_more"}, {"count", std::exchange(suppressed_, 0)}});
  }

  void Write(Json line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    FollowRotation();
    line["time_us"] = std::chrono::duration_cast<std::chrono::microseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
    const std::string text =
        line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    // One call of write, so that lines of several processes do not mix. What a full disk does not
    // take is lost: the server goes on.
    if (file_ >= 0) [[maybe_unused]]
      const auto written = write(file_, text.data(), text.size());
  }

  const AuditLogOptions options_;
  absl::Mutex mutex_;
  int file_ ABSL_GUARDED_BY(mutex_) = -1;
  std::int64_t second_us_ ABSL_GUARDED_BY(mutex_) = 0;
  int told_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t suppressed_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(const AuditLogOptions& options) {
  auto log = std::make_unique<AuditLogImpl>(options);
  CLEAVE_RETURN_IF_ERROR(log->Open());
  return log;
}

}  // namespace cleave::app
