#ifndef CLEAVE_LINK_PROBE_PLANNER_H_
#define CLEAVE_LINK_PROBE_PLANNER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "link/estimator.h"

namespace cleave {

struct ProbeOptions {
  // The largest share of the link's capacity that probes may take, with their framing.
  double max_link_share = 0.01;
  // The planner uses only this part of that share; the rest allows for errors of the estimate.
  double planned_share = 0.8;
  // What they may take on average at most, whatever the link.
  std::optional<double> max_bps;
  // Probes are sent only after nothing was sent for this long.
  std::int64_t quiet_us = 500'000;
  // The time between large probes, if the tokens are enough.
  std::int64_t interval_us = 900'000;
  std::int64_t max_interval_us = 10'000'000;
  // The bytes of HTTP/2, TCP and IP around one probe and its answer.
  std::int64_t overhead_bytes = 200;
  std::int64_t min_bytes = 64;
  std::int64_t max_bytes = 64 << 10;
  absl::Status Validate() const;
};

// Decides when the next probe is sent and how large it is. A token bucket is filled with
// max_link_share of the estimated uplink rate and spent on few probes that are large enough to tell
// a changed rate from a changed round trip, with a small one between them that shows the round trip
// alone. So a device that has gone local sees the link come back, at a cost nobody notices. While
// the link is down, small probes follow with doubling gaps.
// Thread-compatible.
class ProbePlanner {
 public:
  // REQUIRES: options.Validate() is OK.
  explicit ProbePlanner(ProbeOptions options = {});

  // Reports real traffic, which tells more than any probe.
  void OnTraffic(std::int64_t now_us);
  // Report a probe with `bytes` of payload, and how it ended.
  void OnProbeSent(std::int64_t bytes, std::int64_t now_us);
  void OnProbeFailed(std::int64_t now_us);
  void OnProbeSucceeded(std::int64_t now_us);
  // Returns the size of the probe that may follow at once, on credit, after one of this size that
  // was far faster than estimated; nothing beyond the largest size.
  std::optional<std::int64_t> EnlargedBytes(std::int64_t bytes) const;

  // Returns the payload bytes of the probe that is due now, or nothing. The caller that sends it
  // calls OnProbeSent, then OnProbeSucceeded or OnProbeFailed, before it asks again.
  std::optional<std::int64_t> Due(const LinkEstimate& link, std::int64_t now_us);

  // Returns the latest time at which to ask again.
  std::int64_t NextCheckUs(std::int64_t now_us) const;

 private:
  std::int64_t RetryGapUs() const;
  double LargeProbeBytes(const LinkEstimate& link) const;

  ProbeOptions options_;
  double tokens_bytes_ = 0;
  double fill_bytes_per_us_ = 0;
  std::int64_t filled_us_ = 0;
  std::int64_t last_traffic_us_ = 0;
  std::int64_t last_probe_us_ = 0;
  std::int64_t last_large_us_ = 0;
  std::int64_t next_check_us_ = 0;
  bool started_ = false;
  bool small_next_ = false;  // The last probe was a large one.
  int failures_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_PROBE_PLANNER_H_
