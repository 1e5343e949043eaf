#include "world/link_process.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <utility>

#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::world {
namespace {

// Streams of chance, so that one does not move the other.
constexpr std::uint64_t kFading = 1;
constexpr std::uint64_t kBeginning = 2;
constexpr std::uint64_t kOutages = 3;
constexpr std::uint64_t kRoundTrips = 4;

constexpr double kLeastBps = 1e3;
constexpr double kMostBps = 1e12;
constexpr double kUsPerMs = 1e3;

double FromDb(double db) { return std::pow(10, db / 10); }

double BytesPerUs(double bps) { return bps / 8e6; }

SegmentCourse::Next Fading(const ChannelOptions& channel, double ratio, Chance chance) {
  const double kept =
      channel.correlation_ms > 0 ? std::exp(-channel.block_ms / channel.correlation_ms) : 0;
  return [=, snr = channel.MeanSnr(), block = std::int64_t{0},
          gain = std::complex<double>()]() mutable {
    const double fresh = block == 0 ? 1 : std::sqrt(1 - kept * kept);
    const std::complex<double> draw(chance.Normal(2 * block), chance.Normal(2 * block + 1));
    gain = kept * gain + fresh * std::sqrt(0.5) * draw;
    ++block;
    const double bps = channel.bandwidth_hz * std::log2(1 + snr * std::norm(gain));
    return SegmentCourse::Segment{channel.block_ms * kUsPerMs,
                                  BytesPerUs(ratio * std::max(bps, kLeastBps))};
  };
}

SegmentCourse::Next Steps(const std::vector<RateStep>& steps, double ratio, double beginning) {
  std::vector<SegmentCourse::Segment> segments;
  segments.reserve(steps.size());
  for (const RateStep& step : steps) {
    segments.push_back({step.duration_ms * kUsPerMs, BytesPerUs(ratio * step.up_bps)});
  }
  return Repeated(std::move(segments), beginning);
}

std::unique_ptr<Course> WithOutages(std::unique_ptr<Course> course, const LinkOptions& options,
                                    std::uint64_t seed) {
  if (options.outage_every_s <= 0) return course;
  const Chance chance(seed, kOutages);
  const double gap_us = options.outage_every_s * 1e6;
  const double mean_us = options.outage_mean_ms * kUsPerMs;
  return std::make_unique<OutageCourse>(std::move(course), [=, index = std::int64_t{0}]() mutable {
    const OutageCourse::Outage outage{1 + gap_us * chance.Exponential(2 * index),
                                      1 + mean_us * chance.Exponential(2 * index + 1)};
    ++index;
    return outage;
  });
}

enum class Direction { kUp, kDown };

std::unique_ptr<Course> OneWay(const LinkOptions& options, Direction direction,
                               std::uint64_t seed) {
  const Chance beginning(seed, kBeginning);
  const bool up = direction == Direction::kUp;
  const double ratio = up ? 1 : options.down_ratio;
  switch (options.kind) {
    case LinkKind::kTraces: {
      const auto count = static_cast<double>(options.traces.size());
      const TracePair& pair =
          options.traces[static_cast<std::size_t>(beginning.Uniform(0) * count)];
      const std::shared_ptr<const Trace>& trace = up || pair.down == nullptr ? pair.up : pair.down;
      const auto period_us = static_cast<double>(pair.up->period_ms()) * kUsPerMs;
      return std::make_unique<TraceCourse>(
          trace, static_cast<std::int64_t>(beginning.Uniform(1) * period_us));
    }
    case LinkKind::kChannel:
      return std::make_unique<SegmentCourse>(Fading(options.channel, ratio, Chance(seed, kFading)));
    case LinkKind::kSteps:
      break;
  }
  return std::make_unique<SegmentCourse>(Steps(options.steps, ratio, beginning.Uniform(1)));
}

std::unique_ptr<Course> InSteps(std::unique_ptr<Course> course, const LinkOptions& options) {
  if (options.step_us <= 0) return course;
  const std::shared_ptr<Course> inner = std::move(course);
  return std::make_unique<SegmentCourse>([inner, step_us = options.step_us,
                                          least = BytesPerUs(options.least_step_bps),
                                          index = std::int64_t{0}]() mutable {
    const double from_us = static_cast<double>(index++) * step_us;
    return SegmentCourse::Segment{step_us, std::max(least, inner->MeanRate(from_us, step_us))};
  });
}

absl::Status CheckSteps(const std::vector<RateStep>& steps) {
  if (steps.empty()) {
    return FieldError("link.steps", "none", "at least one");
  }
  for (const RateStep& step : steps) {
    CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.steps duration_ms", step.duration_ms, 1, 1e9));
    CLEAVE_RETURN_IF_ERROR(
        CheckRange<double>("link.steps up_bps", step.up_bps, kLeastBps, kMostBps));
  }
  return absl::OkStatus();
}

}  // namespace

double ChannelOptions::MeanSnr() const {
  if (!distance_m) return FromDb(snr_db);
  const double loss_db = loss_1m_db + 10 * loss_exponent * std::log10(*distance_m);
  return FromDb(power_dbm - loss_db - noise_dbm_hz - 10 * std::log10(bandwidth_hz));
}

absl::Status ChannelOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.bandwidth_hz", bandwidth_hz, 1e3, 1e11));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.snr_db", snr_db, -30, 60));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.power_dbm", power_dbm, -50, 80));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.noise_dbm_hz", noise_dbm_hz, -210, -100));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.loss_1m_db", loss_1m_db, 0, 120));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.loss_exponent", loss_exponent, 1, 8));
  if (distance_m)
    CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.distance_m", *distance_m, 1, 1e6));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.block_ms", block_ms, 0.1, 1e6));
  return CheckRange<double>("link.correlation_ms", correlation_ms, 0, 1e9);
}

absl::Status LinkOptions::Validate() const {
  if (kind == LinkKind::kTraces && traces.empty()) {
    return FieldError("link.traces", "none", "at least one");
  }
  CLEAVE_RETURN_IF_ERROR(CheckSteps(steps));
  CLEAVE_RETURN_IF_ERROR(channel.Validate());
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.down_ratio", down_ratio, 1e-3, 1e3));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.rtt_us", rtt_us, 1, 1e7));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.rtt_jitter", rtt_jitter, 0, 2));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.step_us", step_us, 0, 1e9));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.least_step_bps", least_step_bps, 0, kMostBps));
  CLEAVE_RETURN_IF_ERROR(CheckRange<double>("link.outage_mean_ms", outage_mean_ms, 0, 1e6));
  if (outage_every_s == 0) return absl::OkStatus();
  return CheckRange<double>("link.outage_every_s", outage_every_s, 0.01, 1e6);
}

LinkProcess::LinkProcess(const LinkOptions& options, std::uint64_t seed)
    : rtt_us_(options.rtt_us),
      rtt_jitter_(options.rtt_jitter),
      rtt_chance_(seed, kRoundTrips),
      up_(InSteps(WithOutages(OneWay(options, Direction::kUp, seed), options, seed), options)),
      down_(InSteps(WithOutages(OneWay(options, Direction::kDown, seed), options, seed), options)) {
}

double LinkProcess::RttUs(double t_us, Jitter jitter) const {
  if (jitter == Jitter::kMedian || rtt_jitter_ <= 0) return rtt_us_;
  const auto millisecond = static_cast<std::int64_t>(t_us / kUsPerMs);
  return rtt_us_ * std::exp(rtt_jitter_ * rtt_chance_.Normal(millisecond));
}

}  // namespace cleave::world
