#ifndef CLEAVE_TESTS_LINK_SIMULATED_LINK_H_
#define CLEAVE_TESTS_LINK_SIMULATED_LINK_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>

#include "link/estimator.h"

namespace cleave {

// The truth that an estimator tries to find: a link whose uplink is a token bucket.
struct SimulatedLink {
  double rtt_us = 20'000;
  double up_bps = 50e6;
  double down_bps = 50e6;
  double noise = 0;        // Relative standard deviation of a transfer's time.
  double burst_bytes = 0;  // Pass at line rate after a rest.
  double tokens_bytes = 0;
  std::int64_t last_us = 0;
  std::mt19937 random{1};

  double TransferUs(double bytes_up, double bytes_down) const {
    return rtt_us + 8e6 * bytes_up / up_bps + 8e6 * bytes_down / down_bps;
  }

  TransferSample Send(double bytes_up, double bytes_down, std::int64_t now_us) {
    const double earned = up_bps / 8e6 * static_cast<double>(now_us - last_us);
    tokens_bytes = std::min(burst_bytes, tokens_bytes + earned);
    const double free_bytes = std::min(tokens_bytes, bytes_up);
    const double clean_us = TransferUs(bytes_up - free_bytes, bytes_down);
    tokens_bytes -= free_bytes;
    const double factor = 1 + noise * std::normal_distribution<double>()(random);
    const double us = clean_us * std::max(0.2, factor);
    last_us = now_us + std::llround(us);
    return {bytes_up, bytes_down, us};
  }
};

}  // namespace cleave

#endif  // CLEAVE_TESTS_LINK_SIMULATED_LINK_H_
