#ifndef CLEAVE_EXPERIMENTS_RIG_SAMPLE_H_
#define CLEAVE_EXPERIMENTS_RIG_SAMPLE_H_

#include <cstdint>
#include <string>

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
  std::string encoding;
  std::string where;  // device, split, edge
  std::string fallback;
  double link_up_bps = 0;   // What the device believed.
  double output_error = 0;  // Worst difference from a run on the device alone; -1: not compared.
  double bytes_up = 0;
  double rtt_us = 0, device_slowdown = 1, edge_slowdown = 1;
  double accuracy = -1;    // Of the plan, as calibrated; -1: not known.
  int right = -1;          // Items of the batch whose class is the label; -1: no labels.
  std::string reason;      // Why the policy chose the plan.
  bool hedged = false;     // The device ran an earlier exit beside the edge,
  bool hedge_won = false;  // and that is the answer.
  double confidence = -1;  // Greatest probability of the answer, mean of the batch; -1: no labels.
  Phases phases;
};

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_SAMPLE_H_
