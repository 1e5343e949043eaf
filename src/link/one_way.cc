#include "link/one_way.h"

#include <algorithm>

namespace cleave {
namespace {

// Within this time two clocks that differ by 50 ppm drift apart by less than the noise of a probe.
constexpr std::int64_t kKeepUs = 4'000'000;

std::int64_t DelayUs(const OneWayTrip& trip) { return trip.arrived_us - trip.sent_us; }

}  // namespace

void OneWayTimer::AddSmall(const OneWayTrip& trip) {
  small_.push_back(trip);
  while (small_.front().sent_us < trip.sent_us - kKeepUs) small_.pop_front();
}

double OneWayTimer::QuickestRoundTripUs() const {
  double quickest_us = 0;
  for (const OneWayTrip& small : small_) {
    if (quickest_us == 0 || small.round_trip_us < quickest_us) quickest_us = small.round_trip_us;
  }
  return quickest_us;
}

std::optional<TransferSample> OneWayTimer::Compare(const OneWayTrip& trip) const {
  const OneWayTrip* quickest = nullptr;
  for (const OneWayTrip& small : small_) {
    if (small.sent_us < trip.sent_us - kKeepUs || small.bytes_up >= trip.bytes_up) continue;
    if (quickest == nullptr || DelayUs(small) < DelayUs(*quickest)) quickest = &small;
  }
  if (quickest == nullptr) return std::nullopt;
  return TransferSample{.bytes_up = trip.bytes_up - quickest->bytes_up,
                        .network_us = static_cast<double>(
                            std::max<std::int64_t>(1, DelayUs(trip) - DelayUs(*quickest))),
                        .round_trips = 0};
}

}  // namespace cleave
