#ifndef CLEAVE_DEVICE_PROCESSOR_QUEUE_H_
#define CLEAVE_DEVICE_PROCESSOR_QUEUE_H_

#include <cstdint>
#include <set>
#include <tuple>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace cleave {

// Lets one inference at a time use the device's processor. Of those that wait, the one whose
// deadline is next comes first (earliest deadline first: Liu and Layland, 1973), those without a
// deadline last; of equals the one that began first. So a tail that falls back runs between the
// heads of later inferences. Thread-safe.
class ProcessorQueue {
 public:
  // What decides whose turn is next; the lesser is first.
  struct Place {
    std::int64_t due_us = 0;  // The deadline, by the device's clock; the greatest value: none.
    std::int64_t start_us = 0;
    std::int64_t id = 0;
    friend bool operator<(const Place& a, const Place& b) {
      return std::tie(a.due_us, a.start_us, a.id) < std::tie(b.due_us, b.start_us, b.id);
    }
  };

  // How many wait for their turn now.
  std::int64_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_) {
    const absl::MutexLock lock(&mutex_);
    return static_cast<std::int64_t>(waiting_.size());
  }

  // The processor, from Take to Release or to the end of this object's life. It is used by one
  // thread; the queue must outlive it.
  class Turn {
   public:
    Turn(ProcessorQueue& queue, const Place& place) : queue_(queue), place_(place) { Take(); }
    ~Turn() { Release(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

    void Take();
    void Release();

   private:
    ProcessorQueue& queue_;
    const Place place_;
    bool taken_ = false;
  };

 private:
  mutable absl::Mutex mutex_;
  absl::CondVar changed_;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<Place> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_PROCESSOR_QUEUE_H_
