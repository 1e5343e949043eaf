#include "link/probe_planner.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr std::int64_t kFirstRetryUs = 250'000;
constexpr std::int64_t kCheckEveryUs = 100'000;

// The time that a probe's bytes take on the link as it is believed to be stands out of the round
// trip's noise by this many standard deviations.
constexpr double kContrast = 4;
constexpr double kRttNoise = 0.05;
constexpr double kNoiseFloorUs = 200;

}  // namespace

absl::Status ProbeOptions::Validate() const {
  const auto check = [](const char* field, double value, double least, double most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("probe ", field, ": found ", value, ", expected ", least, " to ", most));
  };
  absl::Status status = check("max_link_share", max_link_share, 1e-6, 1);
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
}

void ProbePlanner::OnProbeFailed(std::int64_t now_us) {
  last_probe_us_ = now_us;
  ++failures_;
}

void ProbePlanner::OnProbeSucceeded(std::int64_t now_us) {
  last_probe_us_ = now_us;
  failures_ = 0;
}

std::int64_t ProbePlanner::RetryGapUs() const {
  return std::min(options_.max_interval_us, kFirstRetryUs << std::min(failures_, 20));
}

std::int64_t ProbePlanner::UsefulBytes(const LinkEstimate& link) const {
  const double noise_us = kRttNoise * link.rtt_us.mean + kNoiseFloorUs;
  const double useful = kContrast * noise_us / link.up_us_per_byte.mean;
  return std::llround(std::min(useful, static_cast<double>(options_.max_bytes)));
}

std::optional<std::int64_t> ProbePlanner::Due(const LinkEstimate& link, std::int64_t now_us) {
  if (!started_) {
    started_ = true;
    filled_us_ = now_us;
    last_probe_us_ = std::max(last_probe_us_, now_us);
  }
  const double bytes_per_us = options_.max_link_share / link.up_us_per_byte.mean;
  const double overhead = static_cast<double>(options_.overhead_bytes);
  const double full = static_cast<double>(options_.max_bytes) + overhead;
  const double earned =
      bytes_per_us * static_cast<double>(std::max<std::int64_t>(0, now_us - filled_us_));
  tokens_bytes_ = std::min(tokens_bytes_ + (link.up ? earned : 0), full);
  filled_us_ = std::max(filled_us_, now_us);

  if (!link.up) {
    const std::int64_t due_us = last_probe_us_ + RetryGapUs();
    next_check_us_ = due_us;
    if (now_us < due_us) return std::nullopt;
    return options_.min_bytes;
  }
  const std::int64_t quiet_until_us =
      std::max(last_traffic_us_ + options_.quiet_us, last_probe_us_ + options_.interval_us);
  const double patient_bytes = bytes_per_us * static_cast<double>(options_.interval_us) - overhead;
  const double impatient_bytes =
      bytes_per_us * static_cast<double>(options_.max_interval_us) - overhead;
  const double wanted = std::clamp(
      std::max(patient_bytes, std::min(static_cast<double>(UsefulBytes(link)), impatient_bytes)),
      static_cast<double>(options_.min_bytes), static_cast<double>(options_.max_bytes));
  const double missing = wanted + overhead - tokens_bytes_;
  const std::int64_t affordable_us =
      missing <= 0 ? now_us : now_us + std::llround(std::min(missing / bytes_per_us, 1e12));
  next_check_us_ = std::max(quiet_until_us, affordable_us);
  if (now_us < quiet_until_us || missing > 0) return std::nullopt;
  return std::llround(wanted);
}

std::int64_t ProbePlanner::NextCheckUs(std::int64_t now_us) const {
  return std::clamp(next_check_us_, now_us + 1'000, now_us + kCheckEveryUs);
}

}  // namespace cleave
