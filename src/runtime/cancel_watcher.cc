#include "runtime/cancel_watcher.h"

#include <utility>

#include "absl/time/time.h"

namespace cleave {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(2);
// The thread keeps polling for so long, so that runs in quick succession need not wake it each
// time.
constexpr int kIdlePolls = 100;

}  // namespace

CancelWatcher::~CancelWatcher() {
  std::thread ended;
  {
    const absl::MutexLock lock(&mutex_);
    ending_ = true;
    ended = std::move(thread_);
  }
  if (ended.joinable()) ended.join();
}

CancelWatcher::Guard::Guard(CancelWatcher& watcher, std::list<Entry>::iterator entry)
    : watcher_(watcher), entry_(entry) {}

CancelWatcher::Guard::~Guard() {
  const absl::MutexLock lock(&watcher_.mutex_);
  watcher_.entries_.erase(entry_);
}

CancelWatcher::Guard CancelWatcher::Watch(const CancelToken& token, std::function<void()> stop) {
  const absl::MutexLock lock(&mutex_);
  if (!thread_.joinable()) thread_ = std::thread([this] { Loop(); });
  entries_.push_front({token, std::move(stop)});
  return {*this, entries_.begin()};
}

void CancelWatcher::Loop() {
  const absl::MutexLock lock(&mutex_);
  const auto ending = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return ending_; };
  const auto wanted = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ending_ || !entries_.empty();
  };
  int idle_polls = 0;
  while (!ending_) {
    if (idle_polls >= kIdlePolls) mutex_.Await(absl::Condition(&wanted));
    mutex_.AwaitWithTimeout(absl::Condition(&ending), kPoll);
    idle_polls = entries_.empty() ? idle_polls + 1 : 0;
    for (Guard::Entry& entry : entries_) {
      if (entry.stopped || !entry.token.cancelled()) continue;
      entry.stopped = true;
      entry.stop();
    }
  }
}

}  // namespace cleave
