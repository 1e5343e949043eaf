#include "cli/stop_signals.h"

#include <unistd.h>

#include <utility>

#include "absl/time/time.h"

namespace cleave::cli {

namespace {

bool IsIgnored(int signal) {
  struct sigaction action {};
  return sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

void IgnoreBrokenPipes() {
  struct sigaction action {};
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

StopSignals::StopSignals(CancelToken stop) : stop_(std::move(stop)) {
  sigemptyset(&set_);
  sigaddset(&set_, SIGINT);
  sigaddset(&set_, SIGTERM);
  if (!IsIgnored(SIGHUP)) sigaddset(&set_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  thread_ = std::thread([this] { Loop(); });
}

StopSignals::~StopSignals() {
  finished_ = true;
  thread_.join();
}

bool StopSignals::WaitFor(std::int64_t timeout_us) {
  const absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&came_), absl::Microseconds(timeout_us));
}

void StopSignals::Wait() {
  const absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&came_));
}

void StopSignals::Loop() {
  const timespec period{0, 50'000'000};
  while (!finished_) {
    const int signal = sigtimedwait(&set_, nullptr, &period);
    if (signal < 0) continue;
    const absl::MutexLock lock(&mutex_);
    if (!ready_ || came_) _exit(128 + signal);
    came_ = true;
    stop_.Cancel();
  }
}

}  // namespace cleave::cli
