#ifndef CLEAVE_LINK_ESTIMATOR_H_
#define CLEAVE_LINK_ESTIMATOR_H_

#include <array>
#include <cstdint>
#include <limits>
#include <optional>

#include "absl/status/status.h"

namespace cleave {

// A quantity with its standard deviation.
struct Estimate {
  double mean = 0;
  double deviation = 0;
};

// The state of the link as it is estimated at one moment.
struct LinkEstimate {
  Estimate rtt_us;
  Estimate up_us_per_byte;  // Equals 8e6 / rate in bit/s.
  Estimate down_us_per_byte;
  std::int64_t age_us = 0;  // The time since the last sample; deviations have grown with it.
  // False before the first sample: the figures are a prior.
  bool known = false;
  bool up = true;  // False after a failure until the next success.
  // The upstream bytes of the largest exchange since the rate last changed, which say how far it
  // was tried.
  double tried_bytes = std::numeric_limits<double>::infinity();
  // The upstream bytes that pass a shaper at once after a pause, as far as probes have shown.
  double burst_bytes = 0;
  // The covariances of (rtt, up), (rtt, down) and (up, down): the errors of the three are not
  // independent.
  std::array<double, 3> covariance{};

  double up_bps() const { return 8e6 / up_us_per_byte.mean; }
  double down_bps() const { return 8e6 / down_us_per_byte.mean; }

  // Returns the time of one exchange: rtt + bytes_up / uplink rate + bytes_down / downlink rate.
  double TransferUs(double bytes_up, double bytes_down) const {
    return rtt_us.mean + bytes_up * up_us_per_byte.mean + bytes_down * down_us_per_byte.mean;
  }
  // Returns the standard deviation of TransferUs.
  double TransferDeviationUs(double bytes_up, double bytes_down) const;
};

// One request and its answer, less the time that the edge reports to have spent between them;
// without round trips, only the time of the bytes.
struct TransferSample {
  double bytes_up = 0;
  double bytes_down = 0;
  double network_us = 0;
  double round_trips = 1;
};

struct EstimatorOptions {
  double prior_rtt_us = 20'000;
  double prior_rate_bps = 10e6;
  double half_life_s = 10;  // An unused estimate's relative variance doubles in this time.
  double noise = 0.05;      // Relative standard deviation of one transfer's time.
  double noise_floor_us = 200;
  // A sample farther off than this is taken as a change of the link.
  double surprise_sigmas = 3;
  absl::Status Validate() const;
};

// Estimates the round-trip time and both rates jointly from real transfers of different sizes. It
// is an iterated Kalman filter on network_us = rtt + up * bytes_up + down * bytes_down in
// logarithms, whose uncertainty grows with age and at a surprise, so that a step of the
// rate is followed within a sample or two. docs/estimation.md has the equations. Thread-compatible:
// callers lock.
class LinkEstimator {
 public:
  // REQUIRES: options.Validate() is OK.
  explicit LinkEstimator(EstimatorOptions options = {});

  // Adds a sample. One that is not finite or has negative parts is ignored. One that is slower than
  // estimated, but not by much, waits for the next one to confirm it: stalls come alone, slow links
  // stay.
  void AddSample(const TransferSample& sample, std::int64_t now_us);

  // Adds a probe, which can be repeated before it is trusted. A probe that tells the rate may have
  // been held up by a busy machine: it is repeated, once more while it is far too slow, and the
  // fastest counts. A fast probe may have passed in a shaper's burst, and was sized for a slower
  // link: larger ones follow until one takes long enough to tell the rate. The probe is added if
  // the verdict is kTaken.
  enum class Verdict : std::uint8_t { kTaken, kRepeat, kEnlarge };
  Verdict AddProbe(const TransferSample& sample, std::int64_t now_us);

  // Marks the link as down until the next success.
  void AddFailure(std::int64_t now_us);
  // Returns the estimate as it has aged by `now_us`.
  LinkEstimate Get(std::int64_t now_us) const;

 private:
  using Vector = std::array<double, 3>;  // rtt, up, down
  using Matrix = std::array<Vector, 3>;
  struct State {
    Vector log_mean;
    Matrix covariance;  // It is that of the logarithms.
  };

  // The difference between a sample and the estimate, in logarithms.
  struct Innovation {
    double value = 0;     // Above 0, the sample is slower than estimated.
    double variance = 1;  // The expected variance of `value`.
    double bytes_share = 0;
    double normalized_square() const { return value * value / variance; }
  };

  State Aged(std::int64_t now_us) const;
  double NoiseAt(double time_us) const;  // Returns a relative deviation.
  Innovation Compare(const State& state, const TransferSample& sample) const;
  bool Surprises(const Innovation& innovation) const;
  // Returns the bytes of a sample without round trips that passed at once if the rate is as
  // estimated.
  static double FreeBytes(const TransferSample& sample, const Innovation& innovation);
  // Says whether a burst like the known one explains the sample, and if so, updates the burst's
  // size.
  bool FitsBurst(const TransferSample& sample, const Innovation& innovation, const State& state);
  bool TellsRate(const State& state, const TransferSample& sample) const;
  void Learn(const TransferSample& sample, std::int64_t now_us);
  void LearnNoise(double normalized_square);

  EstimatorOptions options_;
  State state_;
  std::optional<TransferSample> doubted_;  // The fastest of the slow probes to be confirmed.
  int doubts_ = 0;
  bool waiting_ = false;    // The last transfer was slow, and the next one is to confirm it.
  double noise_scale_ = 1;  // A factor of options_.noise, learned from the samples.
  std::int64_t last_us_ = 0;
  double tried_bytes_ = 0;
  double burst_bytes_ = 0;
  // While probes are enlarged, the bytes that have passed for free so far.
  std::optional<double> chain_;
  bool known_ = false;
  bool up_ = true;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_ESTIMATOR_H_
