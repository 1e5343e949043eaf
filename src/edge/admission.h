#ifndef CLEAVE_EDGE_ADMISSION_H_
#define CLEAVE_EDGE_ADMISSION_H_

#include <cstdint>
#include <list>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"
#include "core/clock.h"

namespace cleave {

struct AdmissionOptions {
  int workers = 1;          // Runs that may be under way at the same time.
  int queue_capacity = 64;  // Requests that may wait; one more is refused.
};

// How busy the workers are, and what became of the requests so far.
struct AdmissionLoad {
  int queued = 0;
  int running = 0;
  double utilization = 0;  // The busy share of the workers over the last seconds, from 0 to 1.
  std::int64_t expected_wait_us = 0;
  std::int64_t completed = 0;
  std::int64_t refused = 0;
};

// Decides who may run now: a bounded queue, first come first served, in front of the workers. Each
// request waits on its own thread; deadline, cancellation and shutdown end every wait. No run is
// started that, by what is expected of it, would end after its deadline: under overload such runs
// would take all the time of the workers, and nobody would use their answers. Thread-safe.
class Admission {
  struct Entry;

 public:
  // The right to run, which ends on destruction. It must not outlive its Admission.
  class Permit {
   public:
    Permit(Permit&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), entry_(other.entry_) {}
    Permit& operator=(Permit&&) = delete;
    ~Permit();
    std::int64_t queue_us() const;  // How long the request waited for it.

   private:
    friend class Admission;
    Permit(Admission& owner, std::list<Entry>::iterator entry) : owner_(&owner), entry_(entry) {}
    Admission* owner_;
    std::list<Entry>::iterator entry_;
  };

  // What a request needs, and by when.
  struct Request {
    double expected_us = 0;        // What the run itself is expected to take.
    std::int64_t deadline_us = 0;  // When the run has to end, by the clock; 0: there is none.
    CancelToken cancel;
    bool exclusive = false;  // It takes all workers, as a measurement does.
    // `expected_us` may no longer be true. The request then runs where a worker is free, although
    // it may be late: an expectation that is too long would otherwise never be corrected.
    bool expectation_out_of_date = false;
  };

  Admission(const AdmissionOptions& options, const Clock& clock);
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;

  // Waits for a worker. ResourceExhausted with the expected wait when the queue is full or the run
  // would not end by the deadline, in the queue as on arrival (refused as soon as that is known, so
  // that the client can turn elsewhere in time); DeadlineExceeded, Cancelled; Unavailable once
  // closed or aborted.
  absl::StatusOr<Permit> Enter(const Request& request);

  AdmissionLoad Load() const;
  std::int64_t ExpectedWaitUs() const;

  // From now on no request enters the queue; those in it stay.
  void Close();
  // Waits until nothing is queued or running, but at most `timeout_us`. Returns whether that came
  // about.
  bool WaitIdle(std::int64_t timeout_us);
  // Ends every wait with Unavailable, and closes the queue.
  void Abort();

 private:
  struct Entry {
    Request request;
    std::int64_t entered_us = 0;
    std::int64_t started_us = 0;
    int units = 1;
    bool granted = false;
    absl::CondVar wake;
  };

  bool CanRunAtOnce(const Request& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the run, started after `wait_us`, is expected to end after its deadline.
  bool IsLate(const Request& request, std::int64_t wait_us) const;
  absl::Status CheckRoom(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Refuse(absl::string_view why, std::int64_t wait_us)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AwaitGrant(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Grant() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Leave(std::list<Entry>::iterator entry);
  void NoteUtilization() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::int64_t ExpectedWaitLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const AdmissionOptions options_;
  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::list<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  std::list<Entry> running_ ABSL_GUARDED_BY(mutex_);
  int busy_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool aborted_ ABSL_GUARDED_BY(mutex_) = false;
  std::int64_t completed_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t refused_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable double utilization_ ABSL_GUARDED_BY(mutex_) = 0;
  mutable std::int64_t utilization_us_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace cleave

#endif  // CLEAVE_EDGE_ADMISSION_H_
