#include "link/estimator.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace cleave {
namespace {

constexpr int kRtt = 0;
constexpr int kUp = 1;
constexpr int kDown = 2;

constexpr double kMinRttUs = 20;
constexpr double kMinUsPerByte = 8e-5;  // 100 Gbit/s
constexpr double kMaxUsPerByte = 8e4;   // 100 bit/s

// Relative random walk of a link that is used, per square root of a second.
constexpr double kRttDrift = 0.03;
constexpr double kRateDrift = 0.08;
// However old, an estimate is not less sure than this (relative standard deviation).
constexpr double kMaxRttSpread = 0.5;
constexpr double kMaxRateSpread = 1.0;

// Standard deviations of the natural logarithm of a change: rates jump by orders of magnitude,
// round-trip times rise by a factor and hardly ever fall.
constexpr double kRateJump = 2.0;
constexpr double kRttRise = 0.7;
constexpr double kRttFall = 0.3;

constexpr double kMaxNoiseScale = 4;

// How unlikely it is, in squared standard deviations, that a part of the time changed from `before`
// to `after`.
double CostOfChange(double before_us, double after_us, double rise, double fall) {
  constexpr double kLeastRatio = 1e-4;
  const double change = std::log(std::max(after_us / before_us, kLeastRatio));
  const double deviations = change / (change > 0 ? rise : fall);
  return deviations * deviations;
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
  const double rtt = options_.prior_rtt_us;
  const double rate = 8e6 / options_.prior_rate_bps;
  // Nothing is known of the downlink but that it is of the uplink's kind.
  constexpr double kSpread = 2;
  constexpr double kTied = 0.9;
  const double variance = kSpread * kSpread * rate * rate;
  state_.mean = {rtt, rate, rate};
  state_.covariance[kRtt][kRtt] = rtt * rtt;
  state_.covariance[kUp][kUp] = variance;
  state_.covariance[kDown][kDown] = variance;
  state_.covariance[kUp][kDown] = state_.covariance[kDown][kUp] = kTied * variance;
}

LinkEstimator::State LinkEstimator::Aged(std::int64_t now_us) const {
  State state = state_;
  if (!known_) return state;
  const double age_s = static_cast<double>(std::max<std::int64_t>(0, now_us - last_us_)) / 1e6;
  const double growth = std::exp2(std::min(age_s / options_.half_life_s, 60.0));
  for (int i = 0; i < 3; ++i) {
    const double drift = (i == kRtt ? kRttDrift : kRateDrift) * state.mean[i];
    const double most = (i == kRtt ? kMaxRttSpread : kMaxRateSpread) * state.mean[i];
    const double before = state.covariance[i][i];
    const double after = before * growth + drift * drift * age_s;
    const double capped = std::max(before, std::min(after, most * most));
    // Scaling row and column keeps the correlations, and the matrix positive.
    const double scale = before > 0 ? std::sqrt(capped / before) : 1;
    for (int j = 0; j < 3; ++j) {
      state.covariance[i][j] *= scale;
      state.covariance[j][i] *= scale;
    }
  }
  return state;
}

double LinkEstimator::NoiseVariance(double measured_us) const {
  const double deviation = options_.noise * noise_scale_ * measured_us + options_.noise_floor_us;
  return deviation * deviation;
}

// Opens the state for a sample that it cannot explain: the innovation is shared out between round
// trip and rates by how likely a change of either is.
void LinkEstimator::Widen(State& state, const Vector& sizes, double innovation_us,
                          double measured_us) const {
  const double rtt_us = state.mean[kRtt];
  const double up_us = sizes[kUp] * state.mean[kUp];
  const double down_us = sizes[kDown] * state.mean[kDown];
  const double bytes_us = up_us + down_us;
  if (bytes_us <= 0) {
    state.covariance[kRtt][kRtt] += innovation_us * innovation_us;
    return;
  }
  const double rate_cost = CostOfChange(bytes_us, measured_us - rtt_us, kRateJump, kRateJump);
  const double rtt_cost = CostOfChange(rtt_us, measured_us - bytes_us, kRttRise, kRttFall);
  const double rate_share = 1 / (1 + std::exp(std::clamp((rate_cost - rtt_cost) / 2, -50., 50.)));

  constexpr double kOpen = 4;  // Variance in units of the innovation squared: trust the sample.
  const double opened = kOpen * innovation_us * innovation_us;
  state.covariance[kRtt][kRtt] += (1 - rate_share) * opened;
  // Along the direction in which the sample's bytes took their time.
  const double alpha =
      std::sqrt(rate_share * opened) * bytes_us / (up_us * up_us + down_us * down_us);
  const Vector direction = {0, alpha * state.mean[kUp] * up_us / bytes_us,
                            alpha * state.mean[kDown] * down_us / bytes_us};
  for (int i = kUp; i <= kDown; ++i) {
    for (int j = kUp; j <= kDown; ++j) state.covariance[i][j] += direction[i] * direction[j];
  }
}

void LinkEstimator::LearnNoise(double normalized_square) {
  constexpr double kGain = 0.05;
  const double clipped = std::min(normalized_square, 9.0);
  // A sample of a well-fitted filter has an expected normalized square of 1.
  noise_scale_ =
      std::clamp(noise_scale_ * std::sqrt(1 + kGain * (clipped - 1)), 1.0, kMaxNoiseScale);
}

void LinkEstimator::AddSample(const TransferSample& sample, std::int64_t now_us) {
  const bool sane = std::isfinite(sample.bytes_up) && std::isfinite(sample.bytes_down) &&
                    std::isfinite(sample.network_us) && sample.bytes_up >= 0 &&
                    sample.bytes_down >= 0 && sample.network_us >= 0;
  if (!sane) return;
  State state = Aged(now_us);
  const Vector sizes = {1, sample.bytes_up, sample.bytes_down};
  const double measured_us = std::max(sample.network_us, kMinRttUs);

  double predicted_us = 0;
  for (int i = 0; i < 3; ++i) predicted_us += sizes[i] * state.mean[i];
  const double innovation_us = measured_us - predicted_us;
  const double noise = NoiseVariance(measured_us);

  Vector spread{};  // covariance * sizes
  double variance = 0;
  const auto project = [&] {
    variance = noise;
    for (int i = 0; i < 3; ++i) {
      spread[i] = 0;
      for (int j = 0; j < 3; ++j) spread[i] += state.covariance[i][j] * sizes[j];
      variance += spread[i] * sizes[i];
    }
  };
  project();
  const double normalized_square = innovation_us * innovation_us / variance;
  const double threshold = options_.surprise_sigmas * options_.surprise_sigmas;
  if (normalized_square > threshold) {
    Widen(state, sizes, innovation_us, measured_us);
    project();
  }
  if (known_) LearnNoise(normalized_square);

  // A short time cannot be told from none: the sample claims no better rate than it resolves.
  const double resolved_us = std::sqrt(noise);
  for (int i = 0; i < 3; ++i) {
    double updated = state.mean[i] + spread[i] / variance * innovation_us;
    if (i == kRtt) {
      updated = std::max(updated, kMinRttUs);
    } else {
      const double claim = sizes[i] > 0 ? resolved_us / sizes[i] : state.mean[i];
      updated = std::max(updated, std::min(claim, state.mean[i]));
      updated = std::clamp(updated, kMinUsPerByte, kMaxUsPerByte);
    }
    state.mean[i] = updated;
  }
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) state.covariance[i][j] -= spread[i] * spread[j] / variance;
  }
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
  const auto estimate = [&state](int i) {
    return Estimate{state.mean[i], std::sqrt(std::max(0.0, state.covariance[i][i]))};
  };
  LinkEstimate link;
  link.rtt_us = estimate(kRtt);
  link.up_us_per_byte = estimate(kUp);
  link.down_us_per_byte = estimate(kDown);
  link.covariance = {state.covariance[kRtt][kUp], state.covariance[kRtt][kDown],
                     state.covariance[kUp][kDown]};
  link.age_us = known_ ? std::max<std::int64_t>(0, now_us - last_us_) : 0;
  link.known = known_;
  link.up = up_;
  return link;
}

}  // namespace cleave
