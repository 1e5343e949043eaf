#ifndef CLEAVE_DEVICE_CALL_THREAD_H_
#define CLEAVE_DEVICE_CALL_THREAD_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"

namespace cleave {

// A thread that makes calls on behalf of others, one at a time. Thread-safe; the destructor cancels
// the call under way and waits for its end.
class CallThread {
 public:
  CallThread();
  ~CallThread();
  CallThread(const CallThread&) = delete;
  CallThread& operator=(const CallThread&) = delete;

  // Waits for the end of an earlier call, then has this one made. It must end soon after `cancel`
  // is set.
  void Start(std::function<void()> call, const CancelToken& cancel) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether a call is under way that nobody has cancelled.
  bool busy() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Loop() ABSL_LOCKS_EXCLUDED(mutex_);

  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  std::function<void()> call_ ABSL_GUARDED_BY(mutex_);  // Until its end.
  CancelToken cancel_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread thread_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_CALL_THREAD_H_
