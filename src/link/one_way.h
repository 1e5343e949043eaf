#ifndef CLEAVE_LINK_ONE_WAY_H_
#define CLEAVE_LINK_ONE_WAY_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "link/estimator.h"

namespace cleave {

// One probe on its way up: when it left by the device's clock and when it was there by the edge's.
struct OneWayTrip {
  double bytes_up = 0;
  std::int64_t sent_us = 0;
  std::int64_t arrived_us = 0;  // 0: the edge does not tell.
  double round_trip_us = 0;     // Until the device had the answer, less the edge's own time.
};

// Times the uplink by the edge's clock. The clocks of two machines differ by an unknown constant
// and drift little, so a large probe's way up less that of a recent small one is the time of the
// bytes that it has more: free of the round trip, and of whatever keeps a device at work or under a
// CPU quota from seeing the answer in time. Thread-compatible.
class OneWayTimer {
 public:
  // What a probe, whose answer carried `bytes_down`, tells the estimator: a large one the time of
  // its bytes on the way up, a small one, which is kept, the quickest round trip. Where there is
  // nothing to compare it with, its own time there and back.
  TransferSample SampleOf(const OneWayTrip& trip, double bytes_down);

  // A small probe. Those of the last seconds are kept, and the quickest counts.
  void AddSmall(const OneWayTrip& trip);

  // The quickest round trip of the small probes that are kept: no later than the last one, and
  // seldom held up by the device itself. 0 if there is none.
  double QuickestRoundTripUs() const;

  // The bytes that this probe has more than the small ones, and their time (at least 1 us), as a
  // sample without round trips. Nothing without a smaller probe that is recent enough.
  std::optional<TransferSample> Compare(const OneWayTrip& trip) const;

 private:
  std::deque<OneWayTrip> small_;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_ONE_WAY_H_
