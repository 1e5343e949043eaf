#ifndef CLEAVE_WIRE_CALL_WATCHER_H_
#define CLEAVE_WIRE_CALL_WATCHER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdint>
#include <list>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"
#include "core/clock.h"

namespace cleave {

// Tells handlers that their client has gone. gRPC's synchronous server only answers when asked, and
// a handler at work cannot ask, so one thread asks for all. Thread-safe.
class CallWatcher {
 public:
  CallWatcher();
  ~CallWatcher();
  CallWatcher(const CallWatcher&) = delete;
  CallWatcher& operator=(const CallWatcher&) = delete;

  // One call being watched, from construction to destruction. With an idle limit, the call is
  // cancelled when Touch() is not called for that long.
  class Watch {
   public:
    Watch(CallWatcher& watcher, grpc::ServerContext& context, std::int64_t idle_limit_us = 0);
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    const CancelToken& token() const { return token_; }
    void Touch() { touched_us_.store(Clock::Steady().NowUs()); }

   private:
    friend class CallWatcher;
    CallWatcher& watcher_;
    grpc::ServerContext& context_;
    const std::int64_t idle_limit_us_;
    const CancelToken token_;
    std::atomic<std::int64_t> touched_us_;
    std::list<Watch*>::iterator place_;
  };

 private:
  void Loop();
  static void Check(Watch& watch, std::int64_t now_us);

  absl::Mutex mutex_;
  std::list<Watch*> watches_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_CALL_WATCHER_H_
