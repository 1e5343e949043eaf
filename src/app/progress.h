#ifndef CLEAVE_APP_PROGRESS_H_
#define CLEAVE_APP_PROGRESS_H_

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "core/clock.h"

namespace cleave::app {

// Returns a duration for people, rounded: "12 s", "34 min" or "5.6 h". Thread-safe.
std::string DurationText(double seconds);

// Tells a person how far something long is, and how much time is left. Thread-compatible.
class Progress {
 public:
  enum class Style : std::uint8_t {
    kBar,    // One line of a terminal that redraws itself.
    kLines,  // A line every kLineEveryUs, for logs; what takes less than that says nothing.
  };
  static constexpr std::int64_t kLineEveryUs = 5'000'000;

  // `out` and `clock` must outlive it.
  Progress(std::ostream& out, Style style, const Clock& clock);

  // `share` of `what` is done, from 0 to 1. The time left is what the rest takes at the speed so
  // far; a share below the last one begins a new piece of work.
  void Report(const std::string& what, double share);

  // Erases the bar.
  void End();

 private:
  std::string TimeLeft(std::int64_t now_us, double share) const;

  std::ostream& out_;
  const Style style_;
  const Clock& clock_;
  std::optional<std::int64_t> start_us_;  // When the piece of work began, at first_share_.
  std::int64_t told_us_ = 0;
  double first_share_ = 0;
  double share_ = 0;
};

}  // namespace cleave::app

#endif  // CLEAVE_APP_PROGRESS_H_
