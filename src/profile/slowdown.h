#ifndef CLEAVE_PROFILE_SLOWDOWN_H_
#define CLEAVE_PROFILE_SLOWDOWN_H_

#include <cstdint>

namespace cleave {

// Estimates from real runs how much slower a machine runs at present than its profile says.
// Thread-compatible: callers lock.
class SlowdownTracker {
 public:
  // Adds one run: the time that the profile predicts and the measured one. A run is weighted by its
  // length relative to the longest recent run: a short one may fit into a free slice of the
  // scheduler or get none at all, and says more about itself than about the machine. Runs predicted
  // below 50 us have even less weight.
  void Add(double predicted_us, double measured_us, std::int64_t now_us);

  double factor() const { return factor_; }  // It is 1 before any run.
  // Returns the standard deviation of the ratio around factor().
  double deviation() const { return deviation_; }
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
