#include "link/trace.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kUsPerMs = 1000;

// Neither file nor line may make the arithmetic overflow.
constexpr std::int64_t kMaxFileBytes = std::int64_t{64} << 20;
constexpr std::int64_t kMaxMs = std::int64_t{1000} * 60 * 60 * 24 * 366;

// Saturates: the largest number stands for all time.
std::int64_t MultiplyAdd(std::int64_t a, std::int64_t b, std::int64_t c) {
  std::int64_t product = 0;
  std::int64_t sum = 0;
  const bool fits =
      !__builtin_mul_overflow(a, b, &product) && !__builtin_add_overflow(product, c, &sum);
  return fits ? sum : std::numeric_limits<std::int64_t>::max();
}

std::string Shown(absl::string_view text) {
  std::string shown;
  for (const char c : text.substr(0, 40)) shown.push_back(absl::ascii_isprint(c) ? c : '?');
  return absl::StrCat("'", shown, text.size() > 40 ? "..." : "", "'");
}

absl::string_view TakeLine(absl::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const absl::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return absl::StripAsciiWhitespace(line);
}

bool ParseMs(absl::string_view line, std::int64_t& ms) {
  return line.find_first_not_of("0123456789") == absl::string_view::npos &&
         absl::SimpleAtoi(line, &ms) && ms <= kMaxMs;
}

}  // namespace

absl::StatusOr<Trace> Trace::Parse(absl::string_view text, const std::string& origin) {
  if (static_cast<std::int64_t>(text.size()) > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found ", text.size(), " bytes, expected at most ", kMaxFileBytes));
  }
  Trace trace;
  std::int64_t before_ms = 0;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const absl::string_view line = TakeLine(text);
    if (line.empty() && absl::StripAsciiWhitespace(text).empty()) break;
    std::int64_t ms = 0;
    if (!ParseMs(line, ms) || ms < before_ms) {
      return absl::InvalidArgumentError(absl::StrCat(
          origin, ":", number, ": found ", Shown(line),
          ", expected a whole number of milliseconds from ", before_ms, " to ", kMaxMs));
    }
    trace.opportunities_ms_.push_back(ms);
    before_ms = ms;
  }
  if (trace.opportunities_ms_.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found no line, expected a number of milliseconds on each"));
  }
  if (before_ms == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found a last line of 0, expected the period in milliseconds"));
  }
  return trace;
}

absl::StatusOr<Trace> Trace::Load(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  return Parse(text, path);
}

double Trace::mean_bps() const {
  const double bits = 8.0 * kPacketBytes * static_cast<double>(opportunities_ms_.size());
  return bits * 1e3 / static_cast<double>(period_ms());
}

std::int64_t Trace::BytesBy(std::int64_t t_us) const {
  if (t_us < 0) return 0;
  const std::int64_t period_us = period_ms() * kUsPerMs;
  const std::int64_t periods = t_us / period_us;
  const std::int64_t within_ms = t_us % period_us / kUsPerMs;
  const auto passed =
      std::upper_bound(opportunities_ms_.begin(), opportunities_ms_.end(), within_ms);
  const auto per_period = static_cast<std::int64_t>(opportunities_ms_.size());
  // The packets of a period's last millisecond have passed when the next period starts.
  const std::int64_t packets = MultiplyAdd(periods, per_period, passed - opportunities_ms_.begin());
  return MultiplyAdd(packets, kPacketBytes, 0);
}

std::int64_t Trace::TimeOfBytesUs(std::int64_t bytes) const {
  if (bytes <= 0) return 0;
  const auto per_period = static_cast<std::int64_t>(opportunities_ms_.size());
  const std::int64_t last_packet = (bytes - 1) / kPacketBytes;
  const std::int64_t periods = last_packet / per_period;
  const std::int64_t ms =
      MultiplyAdd(periods, period_ms(), opportunities_ms_[last_packet % per_period]);
  return MultiplyAdd(ms, kUsPerMs, 0);
}

double Trace::RateBps(std::int64_t t_us, std::int64_t window_us) const {
  if (window_us <= 0) return 0;
  const std::int64_t bytes = BytesBy(t_us + window_us - 1) - BytesBy(t_us - 1);
  return 8e6 * static_cast<double>(bytes) / static_cast<double>(window_us);
}

}  // namespace cleave
