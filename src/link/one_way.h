#ifndef CLEAVE_LINK_ONE_WAY_H_
#define CLEAVE_LINK_ONE_WAY_H_

#include <cstdint>
#include <deque>
#include <optional>

#include "link/estimator.h"

namespace cleave {

// The times of one probe: it was sent by the device's clock and arrived by the edge's.
struct ProbeTiming {
  double bytes_up = 0;
  std::int64_t sent_us = 0;
  std::int64_t arrived_us = 0;  // It is 0 if the edge does not tell.
  // The time until the device had the answer, less the edge's own time.
  double round_trip_us = 0;
};

// Times the uplink by the edge's clock. The clocks of two machines differ by an unknown constant
// and drift little, so the one-way delay of a large probe less that of a recent small one is the
// time of the bytes that it has more. This time is free of the round trip, and of whatever keeps a
// device that is busy or under a CPU quota from seeing the answer in time. Thread-compatible.
class OneWayTimer {
 public:
  // Returns what a probe, whose answer carried `bytes_down`, tells the estimator: a large one the
  // time that its bytes take on the uplink; a small one, which is kept, the shortest round trip.
  // If there is nothing to compare it with, it is the probe's own round trip.
  TransferSample SampleOf(const ProbeTiming& probe, double bytes_down);

  // Adds a small probe. Those of the last seconds are kept, and the fastest counts.
  void AddSmall(const ProbeTiming& probe);

  // Returns the shortest round trip of the small probes that are kept: it is at most that of the
  // last one, and seldom delayed by the device itself. Returns 0 if there is none.
  double QuickestRoundTripUs() const;

  // Returns the bytes that this probe has more than the small ones, and their time (at least 1 us),
  // as a sample without round trips. Returns nothing if no smaller probe is recent enough.
  std::optional<TransferSample> Compare(const ProbeTiming& probe) const;

 private:
  std::deque<ProbeTiming> small_;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_ONE_WAY_H_
