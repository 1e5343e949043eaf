#include "core/units.h"

#include <array>
#include <cmath>
#include <span>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "core/check.h"

namespace cleave {
namespace {

struct Unit {
  absl::string_view suffix;
  double factor;
};

absl::StatusOr<double> ParseWithUnit(absl::string_view what, absl::string_view text,
                                     std::span<const Unit> units, absl::string_view forms) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(text);
  const std::size_t digits = trimmed.find_first_not_of("0123456789.+-");
  const absl::string_view number = trimmed.substr(0, digits);
  const std::string suffix = absl::AsciiStrToLower(absl::StripAsciiWhitespace(
      digits == absl::string_view::npos ? absl::string_view() : trimmed.substr(digits)));
  double value = 0;
  if (absl::SimpleAtod(number, &value) && std::isfinite(value) && value >= 0) {
    for (const Unit& unit : units) {
      if (suffix == unit.suffix) return value * unit.factor;
    }
  }
  return FieldError(what, absl::StrCat("'", text, "'"),
                    absl::StrCat("a number with a unit such as ", forms));
}

std::string Significant(double value, absl::string_view unit) {
  const double size = std::abs(value);
  const int decimals = size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return absl::StrFormat("%.*f %s", decimals, value, unit);
}

// `units` go from the largest down. A value that rounds up to 1000 of one is shown as 1 of the
// next.
std::string FormatScaled(double value, std::span<const Unit> units) {
  constexpr double kRoundsUp = 0.9995;
  for (const Unit& unit : units) {
    if (std::abs(value) >= kRoundsUp * unit.factor) {
      return Significant(value / unit.factor, unit.suffix);
    }
  }
  return Significant(value / units.back().factor, units.back().suffix);
}

}  // namespace

absl::StatusOr<double> ParseRateBps(absl::string_view text) {
  static constexpr std::array kUnits = std::to_array<Unit>({{"", 1},
                                                            {"bit", 1},
                                                            {"bit/s", 1},
                                                            {"bps", 1},
                                                            {"k", 1e3},
                                                            {"kbit", 1e3},
                                                            {"kbit/s", 1e3},
                                                            {"kbps", 1e3},
                                                            {"m", 1e6},
                                                            {"mbit", 1e6},
                                                            {"mbit/s", 1e6},
                                                            {"mbps", 1e6},
                                                            {"g", 1e9},
                                                            {"gbit", 1e9},
                                                            {"gbit/s", 1e9},
                                                            {"gbps", 1e9}});
  absl::StatusOr<double> rate = ParseWithUnit("rate", text, kUnits, "10mbit, 300kbit or 1gbit");
  if (rate.ok() && *rate <= 0) {
    return FieldError("rate", absl::StrCat("'", text, "'"), "more than 0");
  }
  return rate;
}

absl::StatusOr<double> ParseDataRateBps(absl::string_view text) {
  static constexpr std::array kPeriods =
      std::to_array<Unit>({{"/month", 30 * 86'400.0}, {"/day", 86'400}, {"/hour", 3'600}});
  absl::StatusOr<double> rate = ParseRateBps(text);
  for (const Unit& period : kPeriods) {
    absl::string_view amount = absl::StripAsciiWhitespace(text);
    if (!absl::ConsumeSuffix(&amount, period.suffix)) continue;
    const absl::StatusOr<std::int64_t> bytes = ParseBytes(amount);
    if (bytes.ok() && *bytes > 0) rate = static_cast<double>(*bytes) * 8 / period.factor;
  }
  if (rate.ok()) return rate;
  return FieldError(
      "data rate", absl::StrCat("'", text, "'"),
      "an amount above 0 such as 2GB/month or 100MB/day, or a rate such as 500kbit/s");
}

absl::StatusOr<double> ParseShare(absl::string_view text) {
  static constexpr std::array kUnits = std::to_array<Unit>({{"", 1}, {"%", 0.01}});
  absl::StatusOr<double> share = ParseWithUnit("share", text, kUnits, "0.8 or 80%");
  if (share.ok() && *share > 1) {
    return FieldError("share", absl::StrCat("'", text, "'"), "at most 1 (100%)");
  }
  return share;
}

absl::StatusOr<std::int64_t> ParseDurationUs(absl::string_view text) {
  static constexpr std::array kUnits =
      std::to_array<Unit>({{"", 1e3}, {"us", 1}, {"ms", 1e3}, {"s", 1e6}, {"min", 60e6}});
  const absl::StatusOr<double> us = ParseWithUnit("duration", text, kUnits, "250us, 20ms or 1.5s");
  if (!us.ok()) return us.status();
  if (*us > 1e15) {
    return FieldError("duration", absl::StrCat("'", text, "'"), "less than 30 years");
  }
  return std::llround(*us);
}

absl::StatusOr<std::int64_t> ParseBytes(absl::string_view text) {
  static constexpr std::array kUnits = std::to_array<Unit>({{"", 1},
                                                            {"b", 1},
                                                            {"kb", 1e3},
                                                            {"mb", 1e6},
                                                            {"gb", 1e9},
                                                            {"kib", 1024.0},
                                                            {"mib", 1024.0 * 1024},
                                                            {"gib", 1024.0 * 1024 * 1024}});
  const absl::StatusOr<double> bytes = ParseWithUnit("size", text, kUnits, "4096, 64KiB or 16MiB");
  if (!bytes.ok()) return bytes.status();
  if (*bytes > 1e15) {
    return FieldError("size", absl::StrCat("'", text, "'"), "less than 1 PB");
  }
  return std::llround(*bytes);
}

std::string FormatRate(double bps) {
  static constexpr std::array kUnits =
      std::to_array<Unit>({{"Gbit/s", 1e9}, {"Mbit/s", 1e6}, {"kbit/s", 1e3}, {"bit/s", 1}});
  return FormatScaled(bps, kUnits);
}

std::string FormatDuration(double us) {
  static constexpr std::array kUnits = std::to_array<Unit>({{"s", 1e6}, {"ms", 1e3}, {"us", 1}});
  return FormatScaled(us, kUnits);
}

std::string FormatBytes(double bytes) {
  static constexpr std::array kUnits =
      std::to_array<Unit>({{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}});
  return FormatScaled(bytes, kUnits);
}

}  // namespace cleave
