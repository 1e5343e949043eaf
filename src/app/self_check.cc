#include "app/self_check.h"

#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "wire/client.h"

namespace cleave::app {
namespace {

// An answer of whatever kind shows that the server accepts connections.
bool Answers(const SelfCheck::Options& options) {
  ClientOptions how;
  how.target = options.target;
  const absl::StatusOr<std::unique_ptr<EdgeClient>> client = EdgeClient::Create(how);
  if (!client.ok()) return false;
  const absl::Status status = (*client)->GetStatus(options.period_us).status();
  return !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status);
}

}  // namespace

SelfCheck::SelfCheck(Options options, std::function<void()> on_stuck)
    : options_(std::move(options)), on_stuck_(std::move(on_stuck)), thread_([this] { Loop(); }) {}

SelfCheck::~SelfCheck() {
  stop_.Notify();
  thread_.join();
}

void SelfCheck::Loop() {
  int failures = 0;
  while (!stop_.WaitForNotificationWithTimeout(absl::Microseconds(options_.period_us))) {
    failures = Answers(options_) ? 0 : failures + 1;
    if (failures < options_.failures) continue;
    on_stuck_();
    return;
  }
}

std::string OwnAddress(const std::string& host, int port) {
  if (host == "0.0.0.0") return absl::StrCat("127.0.0.1:", port);
  if (host == "[::]") return absl::StrCat("[::1]:", port);
  return absl::StrCat(host, ":", port);
}

}  // namespace cleave::app
