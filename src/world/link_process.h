#ifndef CLEAVE_WORLD_LINK_PROCESS_H_
#define CLEAVE_WORLD_LINK_PROCESS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "link/trace.h"
#include "world/chance.h"
#include "world/course.h"

namespace cleave::world {

// A radio channel whose power gain fades, with Shannon's rate: B log2(1 + snr |h|^2), h complex
// normal with E|h|^2 = 1. docs/environment.md has the equations.
struct ChannelOptions {
  double bandwidth_hz = 5e6;
  double snr_db = 10;  // Mean, where |h|^2 is 1. Ignored where `distance_m` is set:
  // snr = power - loss(1 m) - 10 exponent log10(distance) - (noise density + 10 log10 bandwidth).
  std::optional<double> distance_m;
  double power_dbm = 20;
  double noise_dbm_hz = -174;
  double loss_1m_db = 40;
  double loss_exponent = 3;

  double block_ms = 20;       // h stays for so long.
  double correlation_ms = 0;  // 0: blocks are independent (Rayleigh block fading); else h is a
                              // Gauss-Markov process that forgets to 1/e within this.
  double MeanSnr() const;     // As a ratio.
  absl::Status Validate() const;
};

struct TracePair {
  std::string name;  // The uplink's file.
  std::shared_ptr<const Trace> up;
  std::shared_ptr<const Trace> down;  // Null: as `down_ratio` says, of the uplink's trace.
};

struct RateStep {
  double duration_ms = 0;
  double up_bps = 0;
};

enum class LinkKind : std::uint8_t { kTraces, kChannel, kSteps };

struct LinkOptions {
  LinkKind kind = LinkKind::kSteps;
  std::vector<TracePair> traces;  // One is drawn for an episode, with the point where it begins.
  ChannelOptions channel;
  // Repeats; the point where it begins is drawn.
  std::vector<RateStep> steps = std::vector<RateStep>(1, RateStep{1000, 20e6});
  // The downlink's rate in terms of the uplink's, for channel and steps. Both fade together.
  double down_ratio = 1;

  double rtt_us = 20'000;
  double rtt_jitter = 0.05;  // Standard deviation of its logarithm, drawn for each millisecond.

  // Both exponential; 0: no outages.
  double outage_every_s = 0;  // Mean time between two.
  double outage_mean_ms = 0;

  // As a rig carries it out: in steps of this length, each with its mean rate, which is at least
  // `least_step_bps`. 0: as it is.
  double step_us = 0;
  double least_step_bps = 0;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// The link through one episode. Thread-compatible.
class LinkProcess {
 public:
  // REQUIRES: options.Validate() is OK.
  LinkProcess(const LinkOptions& options, std::uint64_t seed);

  Course& up() { return *up_; }  // Bytes.
  Course& down() { return *down_; }
  // Returns how long a round trip that begins then takes, without the time of its bytes.
  double RttUs(double t_us, Jitter jitter) const;

 private:
  double rtt_us_;
  double rtt_jitter_;
  Chance rtt_chance_;
  std::unique_ptr<Course> up_;
  std::unique_ptr<Course> down_;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_LINK_PROCESS_H_
