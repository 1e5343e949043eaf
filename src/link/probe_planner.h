#ifndef CLEAVE_LINK_PROBE_PLANNER_H_
#define CLEAVE_LINK_PROBE_PLANNER_H_

#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "link/estimator.h"

namespace cleave {

struct ProbeOptions {
  // Bytes of probes, framing included, against what the link could carry.
  double max_link_share = 0.01;
  // Of that share, what is planned with; the rest is for errors of the estimate.
  double planned_share = 0.8;
  std::int64_t quiet_us = 500'000;     // Only after nothing was sent for this long.
  std::int64_t interval_us = 900'000;  // Between large probes, where its tokens are enough.
  std::int64_t max_interval_us = 10'000'000;
  std::int64_t overhead_bytes = 200;  // HTTP/2, TCP and IP around one probe and its answer.
  std::int64_t min_bytes = 64;
  std::int64_t max_bytes = 64 << 10;
  absl::Status Validate() const;
};

// Decides when the next probe goes out and how large it is: a token bucket filled with
// max_link_share of the estimated uplink rate, spent on few probes that are large enough to tell a
// changed rate from a changed round trip, with a small one between them that shows the round trip
// alone; so that a device that went local sees the link come back, at a cost nobody notices. While
// the link is down, small probes with doubling gaps.
// Thread-compatible.
class ProbePlanner {
 public:
  // REQUIRES: options.Validate() is OK.
  explicit ProbePlanner(ProbeOptions options = {});

  // Something was sent for real; it is a better probe than any.
  void OnTraffic(std::int64_t now_us);
  void OnProbeSent(std::int64_t bytes, std::int64_t now_us);
  void OnProbeFailed(std::int64_t now_us);
  void OnProbeSucceeded(std::int64_t now_us);
  // Size of the probe that may follow at once, on credit, one of this size that was far faster than
  // believed; nothing beyond the largest.
  std::optional<std::int64_t> EnlargedBytes(std::int64_t bytes) const;

  // Payload bytes of the probe that is due now, or nothing. The caller that sends it calls
  // OnProbeSent, then OnProbeSucceeded or OnProbeFailed, before it asks again.
  std::optional<std::int64_t> Due(const LinkEstimate& link, std::int64_t now_us);

  // When to ask again, at the latest.
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
  bool small_next_ = false;  // A large probe was the last.
  int failures_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_LINK_PROBE_PLANNER_H_
