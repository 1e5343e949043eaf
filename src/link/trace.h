#ifndef CLEAVE_LINK_TRACE_H_
#define CLEAVE_LINK_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// A link trace in Mahimahi's format: each line is the millisecond at which one packet of 1500 bytes
// may pass; the trace repeats with the period of its last line. A value type.
class Trace {
 public:
  static constexpr int kPacketBytes = 1500;

  // Parses a trace. InvalidArgument names the origin, the line, what was found and what was
  // expected (a whole number of milliseconds not below the line before); an empty trace or one that
  // ends at 0 is refused.
  static absl::StatusOr<Trace> Parse(absl::string_view text, const std::string& origin);
  // Reads and parses a file. Errors are those of ReadFile and Parse.
  static absl::StatusOr<Trace> Load(const std::string& path);

  std::int64_t period_ms() const { return opportunities_ms_.back(); }
  // Returns the mean rate over one period.
  double mean_bps() const;

  // Returns the bytes that may have passed by `t_us` since the start, with the trace repeating.
  // BytesBy and TimeOfBytesUs saturate.
  std::int64_t BytesBy(std::int64_t t_us) const;

  // Returns the earliest time at which `bytes` bytes have passed since the start. Inverse of
  // BytesBy.
  std::int64_t TimeOfBytesUs(std::int64_t bytes) const;

  // Returns the mean rate over [t_us, t_us + window_us).
  double RateBps(std::int64_t t_us, std::int64_t window_us) const;

  const std::vector<std::int64_t>& opportunities_ms() const { return opportunities_ms_; }

 private:
  std::vector<std::int64_t> opportunities_ms_;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_TRACE_H_
