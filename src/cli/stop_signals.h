#ifndef CLEAVE_CLI_STOP_SIGNALS_H_
#define CLEAVE_CLI_STOP_SIGNALS_H_

#include <signal.h>

#include <atomic>
#include <cstdint>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"

namespace cleave::cli {

// Ignores SIGPIPE, so that a server goes on when nobody reads any more what it prints.
void IgnoreBrokenPipes();

// Handles SIGINT, SIGTERM and SIGHUP (unless nohup has it ignored) for a subcommand. Before Ready()
// nothing can be lost yet, and a signal ends the process; after it, the first signal cancels the
// token, and a second one ends the process. It must be created before any other thread, since other
// threads inherit its blocked signals. Thread-compatible.
class StopSignals {
 public:
  explicit StopSignals(CancelToken stop = {});
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  void Ready() { ready_ = true; }
  // Waits for the first signal. Returns false if none came in time.
  bool WaitFor(std::int64_t timeout_us);
  void Wait();

 private:
  void Loop();

  const CancelToken stop_;
  sigset_t set_{};
  std::atomic<bool> ready_ = false;
  std::atomic<bool> finished_ = false;
  absl::Mutex mutex_;
  bool came_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace cleave::cli

#endif  // CLEAVE_CLI_STOP_SIGNALS_H_
