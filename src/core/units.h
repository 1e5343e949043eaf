#ifndef CLEAVE_CORE_UNITS_H_
#define CLEAVE_CORE_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cleave {

// Parses "10mbit", "10Mbit/s", "2.5Mbps", "300kbit", "1gbit" or "9600" (bit/s). Prefixes are
// decimal, as in tc(8)'s bit units. InvalidArgument names the text and the forms that are expected;
// a rate that is zero or negative is refused.
absl::StatusOr<double> ParseRateBps(absl::string_view text);

// Parses a rate at which data may be used: "2GB/month" (of 30 days), "100MB/day", "5MB/hour", or a
// rate as ParseRateBps does. InvalidArgument is as there.
absl::StatusOr<double> ParseDataRateBps(absl::string_view text);

// Parses "250us", "20ms", "1.5s" or "20" (milliseconds); a negative duration is refused.
absl::StatusOr<std::int64_t> ParseDurationUs(absl::string_view text);

// Parses "4096", "64KiB", "16MiB", "1GiB" or "1MB"; a negative size is refused.
absl::StatusOr<std::int64_t> ParseBytes(absl::string_view text);

// Parses "0.8" or "80%" as 0.8; a share lies from 0 to 1.
absl::StatusOr<double> ParseShare(absl::string_view text);

// These give three significant digits for people to read: "2.4 Mbit/s", "13.2 ms", "602 KB".
std::string FormatRate(double bps);
std::string FormatDuration(double us);
std::string FormatBytes(double bytes);

}  // namespace cleave

#endif  // CLEAVE_CORE_UNITS_H_
