#include "wire/call_watcher.h"

#include <utility>

#include "absl/time/time.h"
#include "core/clock.h"

namespace cleave {
namespace {

// Limits are seconds, so it is enough to look this often.
constexpr absl::Duration kPeriod = absl::Milliseconds(100);

}  // namespace

CallWatcher::CallWatcher() : thread_([this] { Loop(); }) {}

CallWatcher::~CallWatcher() {
  {
    const absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  thread_.join();
}

CallWatcher::Watch::Watch(CallWatcher& watcher, std::function<void()> on_late)
    : watcher_(watcher), on_late_(std::move(on_late)) {
  const absl::MutexLock lock(&watcher_.mutex_);
  place_ = watcher_.watches_.insert(watcher_.watches_.end(), this);
}

CallWatcher::Watch::~Watch() {
  const absl::MutexLock lock(&watcher_.mutex_);
  watcher_.watches_.erase(place_);
}

void CallWatcher::Watch::Allow(std::int64_t limit_us) {
  due_us_.store(Clock::Steady().NowUs() + limit_us);
}

void CallWatcher::Loop() {
  const absl::MutexLock lock(&mutex_);
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stop_ || !watches_.empty();
  };
  const auto stopped = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_; };
  while (true) {
    mutex_.Await(absl::Condition(&has_work));
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopped), kPeriod)) return;
    const std::int64_t now_us = Clock::Steady().NowUs();
    for (Watch* watch : watches_) {
      std::int64_t due_us = watch->due_us_.load();
      if (due_us == Watch::kNever || now_us < due_us) continue;
      if (watch->due_us_.compare_exchange_strong(due_us, Watch::kNever)) watch->on_late_();
    }
  }
}

}  // namespace cleave
