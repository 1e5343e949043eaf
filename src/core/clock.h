#ifndef CLEAVE_CORE_CLOCK_H_
#define CLEAVE_CORE_CLOCK_H_

#include <atomic>
#include <cstdint>

namespace cleave {

// Tells the time since an arbitrary origin; it never goes back. Whatever depends on time is given a
// clock, so that tests control the time.
class Clock {
 public:
  virtual ~Clock() = default;
  // Returns the time in microseconds. Thread-safe.
  virtual std::int64_t NowUs() const = 0;

  // Returns the steady clock of the process, which is never destroyed.
  static const Clock& Steady();
};

// A clock that moves only when AdvanceUs is called. Thread-safe.
class FakeClock : public Clock {
 public:
  std::int64_t NowUs() const override { return now_us_.load(); }
  void AdvanceUs(std::int64_t by_us) { now_us_.fetch_add(by_us); }

 private:
  std::atomic<std::int64_t> now_us_{1'000'000};
};

}  // namespace cleave

#endif  // CLEAVE_CORE_CLOCK_H_
