#include "device/call_thread.h"

#include <utility>

namespace cleave {

CallThread::CallThread() : thread_([this] { Loop(); }) {}

CallThread::~CallThread() {
  {
    const absl::MutexLock lock(&mutex_);
    stop_ = true;
    cancel_.Cancel();
    changed_.SignalAll();
  }
  thread_.join();
}

void CallThread::Start(std::function<void()> call, const CancelToken& cancel) {
  const absl::MutexLock lock(&mutex_);
  while (call_) changed_.Wait(&mutex_);
  call_ = std::move(call);
  cancel_ = cancel;
  changed_.SignalAll();
}

bool CallThread::busy() const {
  const absl::MutexLock lock(&mutex_);
  return call_ && !cancel_.cancelled();
}

void CallThread::Loop() {
  mutex_.Lock();
  while (!stop_) {
    if (!call_) {
      changed_.Wait(&mutex_);
      continue;
    }
    const std::function<void()> call = call_;
    mutex_.Unlock();
    call();
    mutex_.Lock();
    call_ = nullptr;
    changed_.SignalAll();
  }
  mutex_.Unlock();
}

}  // namespace cleave
