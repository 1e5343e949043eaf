#ifndef CLEAVE_DEVICE_QUEUE_TRACKER_H_
#define CLEAVE_DEVICE_QUEUE_TRACKER_H_

#include <cstdint>

namespace cleave {

// Estimates the wait at the edge from the waits that it reports. A report is a snapshot of a queue
// that other devices fill and drain within tens of milliseconds: it holds for the moment, and then
// gives way to the recent mean, which in turn is forgotten when nothing is heard any more.
// Thread-compatible.
class QueueTracker {
 public:
  // The edge said at `now_us` that a request arriving then would wait `wait_us`.
  void Report(double wait_us, std::int64_t now_us);

  double ExpectedUs(std::int64_t now_us) const;
  std::int64_t AgeUs(std::int64_t now_us) const { return now_us - at_us_; }

 private:
  double last_us_ = 0;
  double mean_us_ = 0;
  std::int64_t at_us_ = 0;
  bool known_ = false;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_QUEUE_TRACKER_H_
