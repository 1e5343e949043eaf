#include "link/trace.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "core/file.h"
#include "core/status_macros.h"

namespace cleave {
namespace {

constexpr std::int64_t kMaxTraceBytes = std::int64_t{256} << 20;
constexpr std::int64_t kMaxTimeMs = std::int64_t{1} << 40;

}  // namespace

absl::StatusOr<Trace> Trace::Parse(absl::string_view text, const std::string& origin) {
  Trace trace;
  int number = 0;
  for (const absl::string_view raw : absl::StrSplit(text, '\n')) {
    ++number;
    const absl::string_view line = absl::StripAsciiWhitespace(raw);
    if (line.empty()) continue;
    std::int64_t ms = 0;
    const std::int64_t before =
        trace.opportunities_ms_.empty() ? 0 : trace.opportunities_ms_.back();
    if (!absl::SimpleAtoi(line, &ms) || ms < before || ms > kMaxTimeMs) {
      return absl::InvalidArgumentError(
          absl::StrCat(origin, ": line ", number, ": found '", line.substr(0, 40),
                       "', expected a whole number of milliseconds of at least ", before));
    }
    trace.opportunities_ms_.push_back(ms);
  }
  if (trace.opportunities_ms_.empty() || trace.opportunities_ms_.back() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(origin, ": found ",
                     trace.opportunities_ms_.empty() ? "no lines" : "nothing after millisecond 0",
                     ", expected a line for each packet, the last after millisecond 0"));
  }
  return trace;
}

absl::StatusOr<Trace> Trace::Load(const std::string& path) {
  CLEAVE_ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxTraceBytes));
  return Parse(text, path);
}

double Trace::mean_bps() const {
  return static_cast<double>(opportunities_ms_.size()) * kPacketBytes * 8e3 /
         static_cast<double>(period_ms());
}

std::int64_t Trace::BytesBy(std::int64_t t_us) const {
  if (t_us < 0) return 0;
  const std::int64_t period_us = period_ms() * 1000;
  const std::int64_t periods = t_us / period_us;
  const std::int64_t within_ms = t_us % period_us / 1000;
  const auto passed =
      std::upper_bound(opportunities_ms_.begin(), opportunities_ms_.end(), within_ms) -
      opportunities_ms_.begin();
  return (periods * static_cast<std::int64_t>(opportunities_ms_.size()) + passed) * kPacketBytes;
}

std::int64_t Trace::TimeOfBytesUs(std::int64_t bytes) const {
  if (bytes <= 0) return 0;
  const auto count = static_cast<std::int64_t>(opportunities_ms_.size());
  const std::int64_t packet = (bytes + kPacketBytes - 1) / kPacketBytes - 1;
  return (packet / count * period_ms() + opportunities_ms_[packet % count]) * 1000;
}

double Trace::RateBps(std::int64_t t_us, std::int64_t window_us) const {
  return static_cast<double>(BytesBy(t_us + window_us - 1) - BytesBy(t_us - 1)) * 8e6 /
         static_cast<double>(window_us);
}

}  // namespace cleave
