#ifndef CLEAVE_CORE_UNITS_H_
#define CLEAVE_CORE_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// "10mbit", "10Mbit/s", "2.5Mbps", "300kbit", "1gbit", "9600" (bit/s). Decimal prefixes, as tc(8)'s
// bit units. InvalidArgument names the text and the forms that are expected; zero and negatives are
// refused.
absl::StatusOr<double> ParseRateBps(absl::string_view text);

// "250us", "20ms", "1.5s", "20" (milliseconds) -> microseconds; not negative.
absl::StatusOr<std::int64_t> ParseDurationUs(absl::string_view text);

// "4096", "64KiB", "16MiB", "1GiB", "1MB" -> bytes; not negative.
absl::StatusOr<std::int64_t> ParseBytes(absl::string_view text);

// "0.8" or "80%" -> 0.8; from 0 to 1.
absl::StatusOr<double> ParseShare(absl::string_view text);

// "2.4 Mbit/s", "13.2 ms", "602 KB": three significant digits, for people.
std::string FormatRate(double bps);
std::string FormatDuration(double us);
std::string FormatBytes(double bytes);

}  // namespace cleave

#endif  // CLEAVE_CORE_UNITS_H_
