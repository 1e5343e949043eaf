#include "emulate/shaper.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/check.h"

namespace cleave::emulate {

absl::Status LinkShape::Validate() const {
  if (rate_bps && trace) {
    return FieldError("link", "a rate and a trace", "one of them");
  }
  if (rate_bps && !(*rate_bps > 0)) {
    return FieldError("link: rate", absl::StrCat(*rate_bps, " bit/s"), "more than 0");
  }
  if (delay_us < 0) {
    return FieldError("link: delay", absl::StrCat(delay_us, " us"), "0 or more");
  }
  return absl::OkStatus();
}

Shaper::Shaper(const LinkShape& shape, std::int64_t now_us)
    : trace_(shape.trace), start_us_(now_us), free_us_(static_cast<double>(now_us)) {
  if (shape.rate_bps) us_per_byte_ = 8e6 / *shape.rate_bps;
}

std::int64_t Shaper::Depart(std::int64_t bytes, std::int64_t ready_us) {
  if (trace_) {
    consumed_bytes_ = std::max(consumed_bytes_, trace_->BytesBy(ready_us - start_us_)) + bytes;
    return std::max(ready_us, start_us_ + trace_->TimeOfBytesUs(consumed_bytes_));
  }
  if (!us_per_byte_) return ready_us;
  free_us_ = std::max(free_us_, static_cast<double>(ready_us)) +
             static_cast<double>(bytes) * *us_per_byte_;
  return std::llround(free_us_);
}

std::int64_t WireBytes(std::int64_t payload) {
  constexpr std::int64_t kSegment = 1448;
  constexpr std::int64_t kHeaders = 66;
  return payload + kHeaders * ((payload + kSegment - 1) / kSegment);
}

}  // namespace cleave::emulate
