#ifndef CLEAVE_TESTS_LINK_SIMULATED_LINK_H_
#define CLEAVE_TESTS_LINK_SIMULATED_LINK_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "link/estimator.h"

namespace cleave {

// The true link that an estimator tries to find: a token bucket in each direction.
struct SimulatedLink {
  double rtt_us = 20'000;
  double up_bps = 50e6;
  double down_bps = 50e6;
  double noise = 0;        // The relative standard deviation of a transfer's time.
  double burst_bytes = 0;  // They pass at line rate after a pause.
  double up_tokens = 0;
  double down_tokens = 0;
  std::int64_t last_us = 0;
  std::mt19937 random{1};
  double way_up_us = 0;  // The one-way delay of the last transfer.

  double TransferUs(double bytes_up, double bytes_down) const {
    return rtt_us + 8e6 * bytes_up / up_bps + 8e6 * bytes_down / down_bps;
  }

  // Returns the bytes that pass for free.
  double Take(double& tokens, double earned, double bytes) const {
    tokens = std::min(burst_bytes, tokens + earned / 8e6);
    const double free_bytes = std::min(tokens, bytes);
    tokens -= free_bytes;
    return free_bytes;
  }

  TransferSample Send(double bytes_up, double bytes_down, std::int64_t now_us) {
    const auto rest_us = static_cast<double>(now_us - last_us);
    const double paid_up = bytes_up - Take(up_tokens, up_bps * rest_us, bytes_up);
    const double paid_down = bytes_down - Take(down_tokens, down_bps * rest_us, bytes_down);
    const double clean_us = TransferUs(paid_up, paid_down);
    const double factor = 1 + noise * std::normal_distribution<double>()(random);
    const double us = clean_us * std::max(0.2, factor);
    last_us = now_us + std::llround(us);
    way_up_us = us * (rtt_us / 2 + 8e6 * paid_up / up_bps) / clean_us;
    return {bytes_up, bytes_down, us};
  }
};

}  // namespace cleave

#endif  // CLEAVE_TESTS_LINK_SIMULATED_LINK_H_
