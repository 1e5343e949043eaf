#ifndef CLEAVE_EXPERIMENTS_RIG_SAMPLE_H_
#define CLEAVE_EXPERIMENTS_RIG_SAMPLE_H_

#include <cstdint>
#include <optional>
#include <string>

#include "cleave/plan.h"

namespace cleave::experiments::rig {

// Mean time of each phase; the order in which an inference passes them.
struct Phases {
  double decide_us = 0, prepare_us = 0, head_us = 0, encode_us = 0, uplink_us = 0, queue_us = 0,
         tail_us = 0, downlink_us = 0;
};

// One inference as the device reported it.
struct Sample {
  std::int64_t start_us = 0;  // Monotonic clock of the machine; in timelines since their start.
  double latency_us = 0;
  double predicted_us = 0;
  int cut = 0;  // As decided, or of the exit that was sure enough.
  int exit = 0;
  Encoding encoding = Encoding::kFp32;
  Where where = Where::kDevice;
  std::string fallback;    // Why the device had to finish what it had sent; empty: it had not.
  double link_up_bps = 0;  // What the device believed.
  // The worst difference from a run on the device alone, where the two were compared.
  std::optional<double> output_error;
  double bytes_up = 0;
  double rtt_us = 0, device_slowdown = 1, edge_slowdown = 1;
  std::optional<double> accuracy;  // That of the plan, where it is calibrated.
  std::optional<int> right;  // Items of the batch whose class is the label, where there are labels.
  std::string reason;        // Why the policy chose the plan.
  // The chance that the device predicted for the plan to miss the deadline.
  std::optional<double> miss_chance;
  bool hedged = false;     // The device ran an earlier exit beside the edge,
  bool hedge_won = false;  // and that is the answer.
  // The greatest probability of the answer, the mean over the batch, where there are labels.
  std::optional<double> confidence;
  Phases phases;
};

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_SAMPLE_H_
