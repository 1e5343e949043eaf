#include "wire/call_threads.h"

#include <utility>

namespace cleave {

CallThreads::~CallThreads() {
  std::vector<std::thread> threads;
  {
    const absl::MutexLock lock(&mutex_);
    stop_ = true;
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void CallThreads::Run(std::function<void()> work) {
  const absl::MutexLock lock(&mutex_);
  waiting_.push_back(std::move(work));
  if (static_cast<int>(waiting_.size()) > idle_ && static_cast<int>(threads_.size()) < most_) {
    threads_.emplace_back([this] { Loop(); });
  }
}

void CallThreads::Loop() {
  const auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stop_ || !waiting_.empty();
  };
  while (true) {
    std::function<void()> work;
    {
      const absl::MutexLock lock(&mutex_);
      ++idle_;
      mutex_.Await(absl::Condition(&has_work));
      --idle_;
      if (waiting_.empty()) return;
      work = std::move(waiting_.front());
      waiting_.pop_front();
    }
    work();
  }
}

}  // namespace cleave
