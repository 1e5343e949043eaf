#include "link/estimator.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr int kRtt = 0;
constexpr int kUp = 1;
constexpr int kDown = 2;

// The bounds of the estimates: 1 us to 100 s, 1 Tbit/s to 80 bit/s.
constexpr std::array<double, 3> kLeast = {1, 8e-6, 8e-6};
constexpr std::array<double, 3> kMost = {1e8, 1e5, 1e5};

// All deviations below are those of natural logarithms, that is, relative ones.
using Vector = std::array<double, 3>;
using Matrix = std::array<Vector, 3>;

// The prior before the first sample. All that is known of the downlink is that it resembles the
// uplink.
constexpr double kPriorRtt = 1.5;
constexpr double kPriorRate = 2.5;
constexpr double kPriorTie = 0.95;

// The random walk of a link in use, per square root of a second.
constexpr Vector kDrift = {0.03, 0.08, 0.08};
// However old, an estimate does not become less certain than this.
constexpr Vector kMostUnsure = {0.5, 1.2, 1.2};

// When the link changes, rates jump by orders of magnitude, mostly both at once; round-trip times
// rise by a factor and hardly ever fall.
constexpr double kRateJump = 2.0;
constexpr double kRateTie = 0.9;
constexpr double kRttRise = 0.7;
constexpr double kRttFall = 0.3;

constexpr double kMaxNoiseScale = 4;

// A transfer that is this much slower than estimated, as a logarithm, is too costly to be tried
// again.
constexpr double kPlainlySlow = 1.0;

// A probe that is later than this was not held up by its device, and is too costly to be tried
// again.
constexpr double kLongestStallUs = 100'000;

constexpr int kMostRepeats = 2;

// A rate that changes by more than this, as a logarithm, at one sample is another rate.
constexpr double kAnotherRate = 0.7;

// The bytes of a probe must have taken this share of its time for it to tell the rate.
constexpr double kTelling = 0.3;

// A time beyond the round trip that exceeds the noise by so many deviations tells the rate.
constexpr double kContrast = 2;

// A probe of the uplink that took less than half of the time that it should, as a logarithm, passed
// in a shaper's burst, or the link is another one: a larger one tells which.
constexpr double kMostlyFree = 0.7;
// No burst is so large that a probe of this time does not tell, and larger probes would delay other
// traffic.
constexpr double kLongEnoughUs = 20'000;

// Answers are mostly small, so that the downlink cannot be told from the round trip: its estimate
// is drawn towards that of the uplink, to a factor of e, within this time.
constexpr double kTieSeconds = 10;

double Dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

Vector Times(const Matrix& m, const Vector& v) {
  return {Dot(m[0], v), Dot(m[1], v), Dot(m[2], v)};
}

// Returns the parts of a transfer's time: the round trip, the bytes up, the bytes down.
Vector PartsUs(const Vector& log_mean, const Vector& sizes) {
  Vector parts{};
  for (int i = 0; i < 3; ++i) parts[i] = sizes[i] * std::exp(log_mean[i]);
  return parts;
}

double Sum(const Vector& v) { return v[0] + v[1] + v[2]; }

// Returns the slope of the logarithm of the whole time in the logarithms of the parts, which is
// their share of it.
Vector SharesOf(const Vector& parts_us) {
  const double total_us = Sum(parts_us);
  return {parts_us[0] / total_us, parts_us[1] / total_us, parts_us[2] / total_us};
}

bool IsSane(const TransferSample& sample) {
  const auto sane = [](double value) { return value >= 0 && value <= 1e15; };
  return sane(sample.bytes_up) && sane(sample.bytes_down) && sane(sample.network_us) &&
         sane(sample.round_trips) && sample.bytes_up + sample.bytes_down + sample.round_trips > 0;
}

Vector SizesOf(const TransferSample& sample) {
  return {sample.round_trips, sample.bytes_up, sample.bytes_down};
}

double MeasuredUs(const TransferSample& sample) {
  return std::max(sample.network_us, kLeast[kRtt]);
}

// Inflates the covariance for a sample that the state cannot explain. `testimony` in [0, 1] says
// how far the sample's bytes exceed the noise, so that it tells anything about the rates.
void Inflate(Matrix& covariance, bool slower, double round_trips, double testimony) {
  const double rtt = round_trips * (slower ? kRttRise : kRttFall);
  const double rate = testimony * kRateJump * kRateJump;
  covariance[kRtt][kRtt] += rtt * rtt;
  covariance[kUp][kUp] += rate;
  covariance[kDown][kDown] += rate;
  covariance[kUp][kDown] += kRateTie * rate;
  covariance[kDown][kUp] += kRateTie * rate;
}

// Does a Kalman update with a linear observation of the logarithms: slopes * log_mean = observed.
void Observe(Vector& log_mean, Matrix& covariance, const Vector& slopes, double observed,
             double noise_variance) {
  const Vector spread = Times(covariance, slopes);
  const double variance = Dot(slopes, spread) + noise_variance;
  const double residual = observed - Dot(slopes, log_mean);
  for (int i = 0; i < 3; ++i) {
    log_mean[i] += spread[i] / variance * residual;
    for (int j = 0; j < 3; ++j) covariance[i][j] -= spread[i] * spread[j] / variance;
  }
}

}  // namespace

absl::Status EstimatorOptions::Validate() const {
  const auto check = [](const char* field, double value, double least, double most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("estimator ", field, ": found ", value, ", expected ", least, " to ", most));
  };
  absl::Status status = check("prior_rtt_us", prior_rtt_us, 1, 1e8);
  status.Update(check("prior_rate_bps", prior_rate_bps, 1e3, 1e12));
  status.Update(check("half_life_s", half_life_s, 1e-3, 1e6));
  status.Update(check("noise", noise, 1e-4, 1));
  status.Update(check("noise_floor_us", noise_floor_us, 0.1, 1e6));
  status.Update(check("surprise_sigmas", surprise_sigmas, 1, 100));
  return status;
}

double LinkEstimate::TransferDeviationUs(double bytes_up, double bytes_down) const {
  const double rtt = rtt_us.deviation;
  const double up_us = up_us_per_byte.deviation * bytes_up;
  const double down_us = down_us_per_byte.deviation * bytes_down;
  const double shared =
      covariance[0] * bytes_up + covariance[1] * bytes_down + covariance[2] * bytes_up * bytes_down;
  return std::sqrt(std::max(0.0, rtt * rtt + up_us * up_us + down_us * down_us + 2 * shared));
}

LinkEstimator::LinkEstimator(EstimatorOptions options) : options_(options), state_{} {
  const double log_rate = std::log(8e6 / options_.prior_rate_bps);
  state_.log_mean = {std::log(options_.prior_rtt_us), log_rate, log_rate};
  Matrix& covariance = state_.covariance;
  covariance[kRtt][kRtt] = kPriorRtt * kPriorRtt;
  covariance[kUp][kUp] = covariance[kDown][kDown] = kPriorRate * kPriorRate;
  covariance[kUp][kDown] = covariance[kDown][kUp] = kPriorTie * kPriorRate * kPriorRate;
}

LinkEstimator::State LinkEstimator::Aged(std::int64_t now_us) const {
  State state = state_;
  if (!known_) return state;
  const double age_s = static_cast<double>(std::max<std::int64_t>(0, now_us - last_us_)) / 1e6;
  const double growth = std::exp2(std::min(age_s / options_.half_life_s, 60.0));
  for (int i = 0; i < 3; ++i) {
    const double before = state.covariance[i][i];
    const double after = before * growth + kDrift[i] * kDrift[i] * age_s;
    const double capped = std::max(before, std::min(after, kMostUnsure[i] * kMostUnsure[i]));
    // Scaling row and column keeps the correlations, and the matrix positive definite.
    const double scale = std::sqrt(capped / before);
    for (int j = 0; j < 3; ++j) {
      state.covariance[i][j] *= scale;
      state.covariance[j][i] *= scale;
    }
  }
  if (age_s > 0) {
    Observe(state.log_mean, state.covariance, {0, -1, 1}, 0, std::max(1.0, kTieSeconds / age_s));
  }
  return state;
}

void LinkEstimator::LearnNoise(double normalized_square) {
  constexpr double kGain = 0.05;
  // A sample of a well-fitted filter has an expected normalized square of 1. One surprise is not
  // noise, but many of them are.
  const double clipped = std::min(normalized_square, 9.0);
  const double scale = noise_scale_ * std::sqrt(1 + kGain * (clipped - 1));
  noise_scale_ = std::clamp(scale, 1.0, kMaxNoiseScale);
}

double LinkEstimator::NoiseAt(double time_us) const {
  return options_.noise * noise_scale_ + options_.noise_floor_us / time_us;
}

LinkEstimator::Innovation LinkEstimator::Compare(const State& state,
                                                 const TransferSample& sample) const {
  const Vector parts_us = PartsUs(state.log_mean, SizesOf(sample));
  const Vector shares = SharesOf(parts_us);
  // A time below the noise still shows that the estimated one was too long.
  const double noise = NoiseAt(std::max(MeasuredUs(sample), Sum(parts_us)));
  return {.value = std::log(MeasuredUs(sample) / Sum(parts_us)),
          .variance = Dot(shares, Times(state.covariance, shares)) + noise * noise,
          .bytes_share = 1 - shares[kRtt]};
}

bool LinkEstimator::Surprises(const Innovation& innovation) const {
  return innovation.normalized_square() > options_.surprise_sigmas * options_.surprise_sigmas;
}

bool LinkEstimator::TellsRate(const State& state, const TransferSample& sample) const {
  const double bytes_us = MeasuredUs(sample) - sample.round_trips * std::exp(state.log_mean[kRtt]);
  return bytes_us > kContrast * NoiseAt(MeasuredUs(sample)) * MeasuredUs(sample);
}

double LinkEstimator::FreeBytes(const TransferSample& sample, const Innovation& innovation) {
  return std::max(0.0, -std::expm1(innovation.value)) * sample.bytes_up;
}

bool LinkEstimator::FitsBurst(const TransferSample& sample, const Innovation& innovation,
                              const State& state) {
  if (sample.round_trips > 0 || burst_bytes_ == 0 || chain_) return false;
  if (innovation.value > 0 || !TellsRate(state, sample)) return false;
  const double free_bytes = FreeBytes(sample, innovation);
  if (free_bytes > (burst_bytes_ + sample.bytes_up) / 2) return false;
  burst_bytes_ = free_bytes;
  return true;
}

LinkEstimator::Verdict LinkEstimator::AddProbe(const TransferSample& sample, std::int64_t now_us) {
  if (!IsSane(sample)) return Verdict::kTaken;
  const bool again = doubted_ && SizesOf(*doubted_) == SizesOf(sample);
  if (!again) doubts_ = 0;
  const bool slower = again && doubted_->network_us < sample.network_us;
  TransferSample fastest = slower ? *doubted_ : sample;
  const State state = Aged(now_us);
  const Innovation innovation = Compare(state, fastest);
  if (FitsBurst(fastest, innovation, state)) return Verdict::kTaken;
  const bool surprises = known_ && Surprises(innovation);
  const bool telling = known_ && innovation.bytes_share > kTelling;
  const double late_us = MeasuredUs(fastest) * -std::expm1(-innovation.value);
  const bool slow = surprises && innovation.value > 0 && late_us < kLongestStallUs;
  const bool fast = surprises && innovation.value < 0;
  const bool mostly_free = innovation.value < -kMostlyFree && MeasuredUs(fastest) < kLongEnoughUs;
  const bool free = mostly_free || !TellsRate(state, fastest);
  if (fast && free) {
    chain_ = chain_.value_or(0) + FreeBytes(fastest, innovation);
    return Verdict::kEnlarge;
  }
  const bool doubtful = telling && (fast || !surprises) && sample.round_trips > 0;
  if ((slow && doubts_ < kMostRepeats) || (doubtful && doubts_ == 0)) {
    doubted_ = fastest;
    ++doubts_;
    return Verdict::kRepeat;
  }
  if (chain_ && !fast) {
    const double free_bytes = FreeBytes(fastest, innovation);
    burst_bytes_ = *chain_ + free_bytes;
    fastest.bytes_up -= free_bytes;
  }
  Learn(fastest, now_us);
  return Verdict::kTaken;
}

void LinkEstimator::AddSample(const TransferSample& sample, std::int64_t now_us) {
  if (!IsSane(sample)) return;
  const Innovation innovation = Compare(Aged(now_us), sample);
  const bool slow = known_ && innovation.value > 0 && Surprises(innovation);
  const bool first = !std::exchange(waiting_, slow);
  if (slow && first && innovation.value < kPlainlySlow) return;
  Learn(sample, now_us);
}

void LinkEstimator::Learn(const TransferSample& sample, std::int64_t now_us) {
  doubted_.reset();
  doubts_ = 0;
  chain_.reset();
  const Vector sizes = SizesOf(sample);
  const double measured_us = MeasuredUs(sample);
  const double noise = NoiseAt(measured_us);

  State state = Aged(now_us);
  const Vector prior = state.log_mean;
  const Innovation innovation = Compare(state, sample);
  if (Surprises(innovation)) {
    const bool slower = innovation.value > 0;
    const double share = slower ? std::max(innovation.bytes_share, -std::expm1(-innovation.value))
                                : innovation.bytes_share;
    Inflate(state.covariance, slower, sample.round_trips,
            share * share / (share * share + noise * noise));
  }
  if (known_) LearnNoise(innovation.normalized_square());

  // Gauss-Newton steps approach the most likely state, since the shares move with it.
  constexpr int kIterations = 12;
  Vector log_mean = prior;
  Vector spread{};
  double variance = 1;
  for (int iteration = 0; iteration < kIterations; ++iteration) {
    const Vector parts_us = PartsUs(log_mean, sizes);
    const Vector shares = SharesOf(parts_us);
    spread = Times(state.covariance, shares);
    variance = Dot(shares, spread) + noise * noise;
    const Vector back = {prior[0] - log_mean[0], prior[1] - log_mean[1], prior[2] - log_mean[2]};
    const double residual = std::log(measured_us / Sum(parts_us)) - Dot(shares, back);
    for (int i = 0; i < 3; ++i) {
      const double target = prior[i] + spread[i] / variance * residual;
      const double step = std::clamp(target - log_mean[i], -1.5, 1.5);
      log_mean[i] = std::clamp(log_mean[i] + step, std::log(kLeast[i]), std::log(kMost[i]));
    }
  }
  state.log_mean = log_mean;
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) state.covariance[i][j] -= spread[i] * spread[j] / variance;
  }
  const double change = std::abs(log_mean[kUp] - prior[kUp]);
  const bool changed = change > kAnotherRate;
  tried_bytes_ = std::max(changed ? 0 : tried_bytes_, sample.bytes_up);
  if (changed) burst_bytes_ = 0;
  state_ = state;
  last_us_ = now_us;
  known_ = true;
  up_ = true;
}

void LinkEstimator::AddFailure(std::int64_t now_us) {
  state_ = Aged(now_us);
  last_us_ = std::max(last_us_, now_us);
  up_ = false;
}

LinkEstimate LinkEstimator::Get(std::int64_t now_us) const {
  const State state = Aged(now_us);
  const auto mean = [&state](int i) { return std::exp(state.log_mean[i]); };
  const auto covariance = [&](int i, int j) { return mean(i) * mean(j) * state.covariance[i][j]; };
  const auto estimate = [&](int i) {
    return Estimate{mean(i), std::sqrt(std::max(0.0, covariance(i, i)))};
  };
  LinkEstimate link;
  link.rtt_us = estimate(kRtt);
  link.up_us_per_byte = estimate(kUp);
  link.down_us_per_byte = estimate(kDown);
  link.covariance = {covariance(kRtt, kUp), covariance(kRtt, kDown), covariance(kUp, kDown)};
  link.age_us = known_ ? std::max<std::int64_t>(0, now_us - last_us_) : 0;
  link.known = known_;
  link.tried_bytes = tried_bytes_;
  link.burst_bytes = burst_bytes_;
  link.up = up_;
  return link;
}

}  // namespace cleave
