#ifndef CLEAVE_WIRE_CALL_WATCHER_H_
#define CLEAVE_WIRE_CALL_WATCHER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace cleave {

// Ends what a peer lets wait for too long: one thread watches the time limits of all calls, since a
// peer that sends or reads nothing wakes nobody. Thread-safe.
class CallWatcher {
 public:
  CallWatcher();
  ~CallWatcher();
  CallWatcher(const CallWatcher&) = delete;
  CallWatcher& operator=(const CallWatcher&) = delete;

  // One call being watched, from construction to destruction.
  class Watch {
   public:
    // `on_late` is called once for each limit that passes, soon afterwards, on the watcher's
    // thread. It must return soon, and must not destroy the watch.
    Watch(CallWatcher& watcher, std::function<void()> on_late);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    // Sets the limit anew: from now on there is so much time. There is none before the first call,
    // nor after one has passed.
    void Allow(std::int64_t limit_us);

   private:
    friend class CallWatcher;
    static constexpr std::int64_t kNever = 0;
    CallWatcher& watcher_;
    const std::function<void()> on_late_;
    std::atomic<std::int64_t> due_us_ = kNever;
    std::list<Watch*>::iterator place_;
  };

 private:
  void Loop();

  absl::Mutex mutex_;
  std::list<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_CALL_WATCHER_H_
