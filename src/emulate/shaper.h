#ifndef CLEAVE_EMULATE_SHAPER_H_
#define CLEAVE_EMULATE_SHAPER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "link/trace.h"

namespace cleave::emulate {

// How one direction of a link behaves.
struct LinkShape {
  std::optional<double> rate_bps;  // Neither rate nor trace: as fast as it goes.
  std::optional<Trace> trace;
  std::int64_t delay_us = 0;  // In each direction.
  bool dead = false;          // Nothing passes, as with a pulled cable.

  absl::Status Validate() const;  // Not both rate and trace; a rate above 0; no negative delay.
};

// Says when bytes have left a link of this rate or trace: one after the other, nothing sooner, and
// capacity that passes unused is lost. The times are those of the caller's clock.
// Thread-compatible.
class Shaper {
 public:
  Shaper(const LinkShape& shape, std::int64_t now_us);

  // Sends `bytes` (as on the wire) that are ready to go at ready_us, and returns when the last of
  // them has left.
  std::int64_t Depart(std::int64_t bytes, std::int64_t ready_us);

 private:
  std::optional<double> us_per_byte_;
  std::optional<Trace> trace_;
  std::int64_t start_us_;
  double free_us_;                   // When the link is next free.
  std::int64_t consumed_bytes_ = 0;  // How much of the trace's capacity since start_us_ is used.
};

// Returns the bytes on an Ethernet link for `payload` bytes of a TCP stream in full segments (1448
// bytes of payload, 66 of headers each), which is what the kernel's tbf counts.
std::int64_t WireBytes(std::int64_t payload);

}  // namespace cleave::emulate

#endif  // CLEAVE_EMULATE_SHAPER_H_
