#include "link/probe_planner.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr std::int64_t kFirstRetryUs = 250'000;
constexpr std::int64_t kCheckEveryUs = 100'000;

// The time that a probe's bytes take at the estimated rate exceeds the round trip's noise by this
// many standard deviations.
constexpr double kContrast = 4;
// A large probe is larger than a small one by at least this factor, or the two could not tell round
// trip and rate apart.
constexpr double kLeastRatio = 8;
// A probe on credit is larger than the one before by at most this factor, so that the debt is paid
// soon even if the link is not that fast after all.
constexpr std::int64_t kCreditGrowth = 4;
constexpr double kFillHalfLifeUs = 2e6;
// The cost of a probe on a link that turned out slower delays later probes for no longer than this.
constexpr double kLongestDebtUs = 4e6;
constexpr double kRttNoise = 0.05;
constexpr double kNoiseFloorUs = 200;

// Probes may take their share of a rate that the link very likely has.
double SureBytesPerUs(const LinkEstimate& link, const ProbeOptions& options) {
  const double share = options.max_link_share * options.planned_share /
                       (link.up_us_per_byte.mean + link.up_us_per_byte.deviation);
  return options.max_bps ? std::min(share, *options.max_bps / 8e6) : share;
}

}  // namespace

absl::Status ProbeOptions::Validate() const {
  const auto check = [](const char* field, double value, double least, double most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("probe ", field, ": found ", value, ", expected ", least, " to ", most));
  };
  absl::Status status = check("max_link_share", max_link_share, 1e-6, 1);
  status.Update(check("planned_share", planned_share, 0.01, 1));
  if (max_bps) status.Update(check("max_bps", *max_bps, 1e-3, 1e12));
  status.Update(check("quiet_us", static_cast<double>(quiet_us), 0, 1e9));
  status.Update(check("interval_us", static_cast<double>(interval_us), 1e3, 1e9));
  status.Update(check("max_interval_us", static_cast<double>(max_interval_us),
                      static_cast<double>(interval_us), 1e10));
  status.Update(check("overhead_bytes", static_cast<double>(overhead_bytes), 0, 1e6));
  status.Update(check("min_bytes", static_cast<double>(min_bytes), 0, 1e6));
  status.Update(
      check("max_bytes", static_cast<double>(max_bytes), static_cast<double>(min_bytes), 1e9));
  return status;
}

ProbePlanner::ProbePlanner(ProbeOptions options) : options_(options) {}

void ProbePlanner::OnTraffic(std::int64_t now_us) {
  last_traffic_us_ = now_us;
  failures_ = 0;
}

void ProbePlanner::OnProbeSent(std::int64_t bytes, std::int64_t now_us) {
  tokens_bytes_ -= static_cast<double>(bytes + options_.overhead_bytes);
  last_probe_us_ = now_us;
  small_next_ = bytes > options_.min_bytes;
  if (small_next_) last_large_us_ = now_us;
}

void ProbePlanner::OnProbeFailed(std::int64_t now_us) {
  last_probe_us_ = now_us;
  ++failures_;
}

void ProbePlanner::OnProbeSucceeded(std::int64_t now_us) {
  last_probe_us_ = now_us;
  failures_ = 0;
}

std::optional<std::int64_t> ProbePlanner::EnlargedBytes(std::int64_t bytes) const {
  if (bytes >= options_.max_bytes) return std::nullopt;
  return std::min(kCreditGrowth * bytes, options_.max_bytes);
}

std::int64_t ProbePlanner::RetryGapUs() const {
  return std::min(options_.max_interval_us, kFirstRetryUs << std::min(failures_, 20));
}

double ProbePlanner::LargeProbeBytes(const LinkEstimate& link) const {
  const double noise_us = kRttNoise * link.rtt_us.mean + kNoiseFloorUs;
  const double telling_bytes = kContrast * noise_us / link.up_us_per_byte.mean;
  const double bytes_per_us = SureBytesPerUs(link, options_);
  const auto least = static_cast<double>(options_.min_bytes);
  // One round is a large probe, the same again and a small one, each in its frame.
  const double rest_of_round = least + 3 * static_cast<double>(options_.overhead_bytes);
  const auto earned = [&](std::int64_t us) {
    return (bytes_per_us * static_cast<double>(us) - rest_of_round) / 2;
  };
  const double wanted = std::max(earned(options_.interval_us),
                                 std::min(telling_bytes, earned(options_.max_interval_us)));
  return std::min(link.burst_bytes + std::max(wanted, kLeastRatio * least),
                  static_cast<double>(options_.max_bytes));
}

std::optional<std::int64_t> ProbePlanner::Due(const LinkEstimate& link, std::int64_t now_us) {
  if (!started_) {
    started_ = true;
    filled_us_ = now_us;
    last_probe_us_ = std::max(last_probe_us_, now_us);
  }
  const double bytes_per_us = SureBytesPerUs(link, options_);
  const auto overhead = static_cast<double>(options_.overhead_bytes);
  const double full = static_cast<double>(options_.max_bytes) + overhead;
  const auto idle_us = static_cast<double>(std::max<std::int64_t>(0, now_us - filled_us_));
  // An estimate that has just collapsed may be mistaken, and only a probe can tell.
  fill_bytes_per_us_ =
      std::max(bytes_per_us, fill_bytes_per_us_ * std::exp2(-idle_us / kFillHalfLifeUs));
  tokens_bytes_ = std::max(tokens_bytes_, -bytes_per_us * kLongestDebtUs);
  if (link.up) tokens_bytes_ = std::min(tokens_bytes_ + fill_bytes_per_us_ * idle_us, full);
  filled_us_ = std::max(filled_us_, now_us);

  if (!link.up) {
    next_check_us_ = last_probe_us_ + RetryGapUs();
    if (now_us < next_check_us_) return std::nullopt;
    return options_.min_bytes;
  }
  const double bytes =
      small_next_ ? static_cast<double>(options_.min_bytes) : LargeProbeBytes(link);
  const std::int64_t since_us =
      small_next_ ? last_probe_us_ + options_.interval_us / 2
                  : std::max(last_large_us_ + options_.interval_us, last_probe_us_);
  const double missing_bytes = std::max(0.0, bytes + overhead - tokens_bytes_);
  const std::int64_t affordable_us =
      now_us + std::llround(std::min(missing_bytes / fill_bytes_per_us_, 1e12));
  next_check_us_ = std::max({last_traffic_us_ + options_.quiet_us, since_us, affordable_us});
  if (now_us < next_check_us_) return std::nullopt;
  return std::llround(bytes);
}

std::int64_t ProbePlanner::NextCheckUs(std::int64_t now_us) const {
  return std::clamp(next_check_us_, now_us + 1'000, now_us + kCheckEveryUs);
}

}  // namespace cleave
