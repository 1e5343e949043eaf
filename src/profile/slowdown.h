#ifndef CLEAVE_PROFILE_SLOWDOWN_H_
#define CLEAVE_PROFILE_SLOWDOWN_H_

#include <cstdint>

namespace cleave {

// How much slower a machine runs at present than its profile says, tracked from real runs.
// Thread-compatible: callers lock.
class SlowdownTracker {
 public:
  // One run: what the profile predicts and what was measured. Counts by its length against the
  // longest run of late: a short one meets a scheduler's free slice or none at all, and speaks for
  // itself more than for the machine. Runs predicted below 50 us count even less.
  void Add(double predicted_us, double measured_us, std::int64_t now_us);

  double factor() const { return factor_; }  // 1 before any run.
  double deviation() const {
    return deviation_;
  }  // Standard deviation of the ratio around factor().
  std::int64_t last_us() const { return last_us_; }

 private:
  double factor_ = 1;
  double deviation_ = 0.25;
  std::int64_t last_us_ = 0;
  double longest_us_ = 0;
  int samples_ = 0;
  int surprises_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_PROFILE_SLOWDOWN_H_
