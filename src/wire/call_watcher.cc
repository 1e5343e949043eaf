#include "wire/call_watcher.h"

#include "absl/time/time.h"

namespace cleave {
namespace {

constexpr absl::Duration kPeriod = absl::Milliseconds(10);
constexpr int kIdleRounds = 100;

}  // namespace

CallWatcher::CallWatcher() : thread_([this] { Loop(); }) {}

CallWatcher::~CallWatcher() {
  {
    const absl::MutexLock lock(&mutex_);
    stop_ = true;
  }
  thread_.join();
}

CallWatcher::Watch::Watch(CallWatcher& watcher, grpc::ServerContext& context,
                          std::int64_t idle_limit_us)
    : watcher_(watcher),
      context_(context),
      idle_limit_us_(idle_limit_us),
      touched_us_(Clock::Steady().NowUs()) {
  const absl::MutexLock lock(&watcher_.mutex_);
  place_ = watcher_.watches_.insert(watcher_.watches_.end(), this);
}

CallWatcher::Watch::~Watch() {
  const absl::MutexLock lock(&watcher_.mutex_);
  watcher_.watches_.erase(place_);
}

void CallWatcher::Check(Watch& watch, std::int64_t now_us) {
  if (watch.token_.cancelled()) return;
  const bool idle =
      watch.idle_limit_us_ > 0 && now_us - watch.touched_us_.load() > watch.idle_limit_us_;
  if (idle) watch.context_.TryCancel();
  if (idle || watch.context_.IsCancelled()) watch.token_.Cancel();
}

void CallWatcher::Loop() {
  const absl::MutexLock lock(&mutex_);
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stop_ || !watches_.empty();
  };
  const auto stopped = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stop_; };
  int idle_rounds = 0;
  while (true) {
    idle_rounds = watches_.empty() ? idle_rounds + 1 : 0;
    // Sleeping on only after a while keeps short calls in a row from waking this thread each.
    if (idle_rounds > kIdleRounds) mutex_.Await(absl::Condition(&has_work));
    if (mutex_.AwaitWithTimeout(absl::Condition(&stopped), kPeriod)) return;
    const std::int64_t now_us = Clock::Steady().NowUs();
    for (Watch* watch : watches_) Check(*watch, now_us);
  }
}

}  // namespace cleave
