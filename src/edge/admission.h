#ifndef CLEAVE_EDGE_ADMISSION_H_
#define CLEAVE_EDGE_ADMISSION_H_

#include <cstdint>
#include <list>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "cleave/cancel.h"
#include "cleave/edge.h"
#include "core/clock.h"

namespace cleave {

struct AdmissionOptions {
  int workers = 1;          // Runs that may be under way at the same time.
  int queue_capacity = 64;  // Requests that may wait; one more is refused.
  // The shares of clients, by name, where they are not 1.
  std::map<std::string, double> weights;
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

// Decides who may run now: a bounded queue in front of the workers, in which clients share the time
// of the workers by their weights, and the requests of one client are served first come first
// served. Each request waits on its own thread; deadline, cancellation and shutdown end every wait.
// No run is started that, by what is expected of it, would end after its deadline: under overload
// such runs would take all the time of the workers, and nobody would use their answers.
//
// The order is that of start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996). Where the
// queue is full, a client that has fewer requests in it takes the place of the last request of the
// client that has the most. Thread-safe.
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
    std::string client;            // Whose it is.
    double expected_us = 0;        // What the run itself is expected to take.
    std::int64_t deadline_us = 0;  // When the run has to end, by the clock; 0: there is none.
    CancelToken cancel;
    bool exclusive = false;  // It takes all workers, as a measurement does.
    bool continues = false;  // It goes on with one that was counted as completed already.
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
  // The wait of a request that this client would send now.
  std::int64_t ExpectedWaitUs(const std::string& client = "") const;

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
    double start_tag = 0;  // In virtual time, by which the queue is ordered.
    bool granted = false;
    bool displaced = false;  // By the request of another client.
    absl::CondVar wake;
  };

  struct Client {
    double finish_tag = 0;  // Of its last request, in virtual time.
    int waiting = 0;
    int running = 0;
  };

  double WeightOf(const std::string& client) const;
  // What a request costs its client in virtual time, for so long a run.
  double VirtualCost(const Entry& entry, double run_us) const;
  double StartTagOf(const std::string& client) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::list<Entry>::iterator Enqueue(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Dequeue(std::list<Entry>::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The entry of a full queue whose place a request of this client may take; null: none.
  Entry* FindDisplaceable(const std::string& client) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ForgetIdleClients() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool CanRunAtOnce(const Request& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Whether the run, started after `wait_us`, is expected to end after its deadline.
  bool IsLate(const Request& request, std::int64_t wait_us) const;
  absl::Status CheckRoom(const Request& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status Refuse(Refusal reason, std::int64_t wait_us) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status AwaitGrant(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Grant() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Leave(std::list<Entry>::iterator entry);
  void NoteUtilization() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The wait of a request with this start tag.
  std::int64_t ExpectedWaitLocked(double start_tag) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const AdmissionOptions options_;
  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::list<Entry> queue_ ABSL_GUARDED_BY(mutex_);
  std::list<Entry> running_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Client> clients_ ABSL_GUARDED_BY(mutex_);
  double virtual_time_ ABSL_GUARDED_BY(mutex_) = 0;
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
