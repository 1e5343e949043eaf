#ifndef CLEAVE_DEVICE_IN_FLIGHT_H_
#define CLEAVE_DEVICE_IN_FLIGHT_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"
#include "cleave/device.h"

namespace cleave {

// The inferences that a device has in flight, at most so many: it runs those that nobody waits for,
// and hands over their answers in the order that is asked for, one at a time. An answer that waits
// for earlier ones, or is being handed over, still counts as in flight, which bounds memory. Its
// threads, as many as inferences may be in flight, are started when they are first needed.
// Thread-safe. The destructor cancels what is in flight and hands over its answers.
class InFlight {
 public:
  using Run = std::function<absl::StatusOr<InferenceRecord>()>;

  explicit InFlight(DeviceOptions::Stream options) : options_(options) {}
  ~InFlight();
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  // One inference on the calling thread; waits until fewer than max_in_flight are in flight.
  absl::StatusOr<InferenceRecord> RunHere(const Run& run) ABSL_LOCKS_EXCLUDED(mutex_);

  // Has `run` run on a thread of this object and its answer handed to `done`, once. It must end
  // soon after `cancel` is set. Where max_in_flight are in flight it waits, or returns
  // ResourceExhausted, as the options say; `done` is then not called.
  absl::Status Start(Run run, InferenceDone done, const CancelToken& cancel)
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    std::int64_t number = 0;
    Run run;
    InferenceDone done;
  };
  struct Answered {
    InferenceDone done;
    absl::StatusOr<InferenceRecord> record;
  };

  bool full() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return in_flight_ >= options_.max_in_flight;
  }
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  void HandOver(Task& task, absl::StatusOr<InferenceRecord> record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The answer that may be handed over next; the end: there is none.
  std::map<std::int64_t, Answered>::iterator Next() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const DeviceOptions::Stream options_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::int64_t in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t started_ ABSL_GUARDED_BY(mutex_) = 0;      // By Start, so far,
  std::int64_t handed_over_ ABSL_GUARDED_BY(mutex_) = 0;  // and of these those that have ended.
  std::int64_t idle_ ABSL_GUARDED_BY(mutex_) = 0;         // Threads that wait for a task.
  bool handing_over_ ABSL_GUARDED_BY(mutex_) = false;
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);  // Those that no thread has yet.
  std::map<std::int64_t, CancelToken> tokens_ ABSL_GUARDED_BY(mutex_);  // By number.
  std::map<std::int64_t, Answered> answered_ ABSL_GUARDED_BY(mutex_);   // By number.
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_IN_FLIGHT_H_
