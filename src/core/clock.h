#ifndef CLEAVE_CORE_CLOCK_H_
#define CLEAVE_CORE_CLOCK_H_

#include <atomic>
#include <cstdint>

namespace cleave {

// Time since an arbitrary origin, never going back. Injected wherever time matters, so that tests
// own it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t NowUs() const = 0;

  // The process's steady clock. Lives for ever.
  static const Clock& Steady();
};

// A clock that stands still until told. Thread-safe.
class FakeClock : public Clock {
 public:
  std::int64_t NowUs() const override { return now_us_.load(); }
  void AdvanceUs(std::int64_t by_us) { now_us_.fetch_add(by_us); }

 private:
  std::atomic<std::int64_t> now_us_{1'000'000};
};

}  // namespace cleave

#endif  // CLEAVE_CORE_CLOCK_H_
