#ifndef CLEAVE_RUNTIME_CANCEL_WATCHER_H_
#define CLEAVE_RUNTIME_CANCEL_WATCHER_H_

#include <functional>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"

namespace cleave {

// Stops work that cannot check a cancel token itself. One thread, started by the first Watch,
// checks the tokens every few milliseconds and sleeps while there is nothing to watch. Thread-safe.
class CancelWatcher {
 public:
  CancelWatcher() = default;
  ~CancelWatcher();
  CancelWatcher(const CancelWatcher&) = delete;
  CancelWatcher& operator=(const CancelWatcher&) = delete;

  // While the guard lives, `stop` is called (once, on the watcher's thread) soon after the token is
  // set.
  class Guard {
   public:
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    friend class CancelWatcher;
    struct Entry {
      CancelToken token;
      std::function<void()> stop;
      bool stopped = false;
    };
    Guard(CancelWatcher& watcher, std::list<Entry>::iterator entry);

    CancelWatcher& watcher_;
    std::list<Entry>::iterator entry_;
  };

  [[nodiscard]] Guard Watch(const CancelToken& token, std::function<void()> stop);

 private:
  void Loop();

  absl::Mutex mutex_;
  std::list<Guard::Entry> entries_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_RUNTIME_CANCEL_WATCHER_H_
