#include "link/one_way.h"

#include <algorithm>

namespace cleave {
namespace {

// Within this time two clocks that differ by 50 ppm drift apart by less than the noise of a probe.
constexpr std::int64_t kKeepUs = 4'000'000;

// A probe beyond this size is to tell the rate, one below it the round trip.
constexpr double kTellingBytes = 256;

std::int64_t DelayUs(const OneWayTrip& trip) { return trip.arrived_us - trip.sent_us; }

}  // namespace

TransferSample OneWayTimer::SampleOf(const OneWayTrip& trip, double bytes_down) {
  TransferSample both_ways{trip.bytes_up, bytes_down, trip.round_trip_us};
  if (trip.arrived_us == 0) return both_ways;
  if (trip.bytes_up > kTellingBytes) return Compare(trip).value_or(both_ways);
  AddSmall(trip);
  both_ways.network_us = QuickestRoundTripUs();
  return both_ways;
}

void OneWayTimer::AddSmall(const OneWayTrip& trip) {
  small_.push_back(trip);
  while (small_.front().sent_us < trip.sent_us - kKeepUs) small_.pop_front();
}

double OneWayTimer::QuickestRoundTripUs() const {
  const auto quickest = std::min_element(
      small_.begin(), small_.end(),
      [](const OneWayTrip& a, const OneWayTrip& b) { return a.round_trip_us < b.round_trip_us; });
  return quickest == small_.end() ? 0 : quickest->round_trip_us;
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
