#ifndef CLEAVE_DEVICE_BACKOFF_H_
#define CLEAVE_DEVICE_BACKOFF_H_

#include <cstdint>
#include <random>

namespace cleave {

// Exponential backoff: how long to leave an edge alone after a failure. The delay is `first_us`,
// and doubles with every further failure up to `max_us`. Each is shortened by a random part of up
// to a quarter, so that devices that lost the same edge do not come back at once.
// Thread-compatible.
class Backoff {
 public:
  Backoff(std::int64_t first_us, std::int64_t max_us, std::uint64_t seed)
      : first_us_(first_us), max_us_(max_us), next_us_(first_us), random_(seed) {}

  std::int64_t NextDelayUs();
  void Reset() { next_us_ = first_us_; }

 private:
  std::int64_t first_us_;
  std::int64_t max_us_;
  std::int64_t next_us_;
  std::mt19937_64 random_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_BACKOFF_H_
