#ifndef CLEAVE_WIRE_CALL_THREADS_H_
#define CLEAVE_WIRE_CALL_THREADS_H_

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace cleave {

// Threads on which calls do what takes its time. There are never more than `most`, however many
// calls there are; one is started when a piece of work finds none idle. Thread-safe.
class CallThreads {
 public:
  // REQUIRES: most is above 0.
  explicit CallThreads(int most) : most_(most) {}
  // Does the work that is left, and then returns.
  ~CallThreads();
  CallThreads(const CallThreads&) = delete;
  CallThreads& operator=(const CallThreads&) = delete;

  // Runs `work` on one of the threads, as soon as one is free, in the order of the calls.
  void Run(std::function<void()> work);

 private:
  void Loop();

  const int most_;
  absl::Mutex mutex_;
  std::deque<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_CALL_THREADS_H_
