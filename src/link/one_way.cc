#include "link/one_way.h"

#include <algorithm>

namespace cleave {
namespace {

// Within this time, two clocks that differ by 50 ppm drift apart by less than the noise of a probe.
constexpr std::int64_t kKeepUs = 4'000'000;

// A probe larger than this is to tell the rate, a smaller one the round trip.
constexpr double kTellingBytes = 256;

std::int64_t DelayUs(const ProbeTiming& probe) { return probe.arrived_us - probe.sent_us; }

}  // namespace

TransferSample OneWayTimer::SampleOf(const ProbeTiming& probe, double bytes_down) {
  TransferSample both_ways{probe.bytes_up, bytes_down, probe.round_trip_us};
  if (probe.arrived_us == 0) return both_ways;
  if (probe.bytes_up > kTellingBytes) return Compare(probe).value_or(both_ways);
  AddSmall(probe);
  both_ways.network_us = QuickestRoundTripUs();
  return both_ways;
}

void OneWayTimer::AddSmall(const ProbeTiming& probe) {
  small_.push_back(probe);
  while (small_.front().sent_us < probe.sent_us - kKeepUs) small_.pop_front();
}

double OneWayTimer::QuickestRoundTripUs() const {
  const auto quickest = std::min_element(
      small_.begin(), small_.end(),
      [](const ProbeTiming& a, const ProbeTiming& b) { return a.round_trip_us < b.round_trip_us; });
  return quickest == small_.end() ? 0 : quickest->round_trip_us;
}

std::optional<TransferSample> OneWayTimer::Compare(const ProbeTiming& probe) const {
  const ProbeTiming* quickest = nullptr;
  for (const ProbeTiming& small : small_) {
    if (small.sent_us < probe.sent_us - kKeepUs || small.bytes_up >= probe.bytes_up) continue;
    if (quickest == nullptr || DelayUs(small) < DelayUs(*quickest)) quickest = &small;
  }
  if (quickest == nullptr) return std::nullopt;
  return TransferSample{.bytes_up = probe.bytes_up - quickest->bytes_up,
                        .network_us = static_cast<double>(
                            std::max<std::int64_t>(1, DelayUs(probe) - DelayUs(*quickest))),
                        .round_trips = 0};
}

}  // namespace cleave
