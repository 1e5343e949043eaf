#ifndef CLEAVE_EXPERIMENTS_RIG_CONTEST_H_
#define CLEAVE_EXPERIMENTS_RIG_CONTEST_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/rig/sample.h"
#include "experiments/rig/worker.h"

namespace cleave::experiments::rig {

// A policy, and the device process that runs by it. The worker must outlive it.
struct Contender {
  std::string name;
  Worker* worker = nullptr;
  std::string policy;  // As Device::SetPolicy takes it.
};

struct ContestOptions {
  int inferences = 32;     // Those that count, of each contender.
  std::int64_t batch = 1;  // Pictures of an inference.
  // What a device that was asleep gets, to see what has changed.
  std::int64_t settle_us = 3'000'000;
  int warmup = 3;
  CancelToken cancel;
};

// What a contender has measured.
struct Cell {
  std::string policy;   // The contender's name.
  double rate_bps = 0;  // Of the link.
  int inferences = 0;
  int fallbacks = 0;
  double mean_us = 0;
  double median_us = 0;
  double p25_us = 0;
  double p75_us = 0;
  double predicted_us = 0;  // The mean.
  double bytes_up = 0;      // The mean of an inference.
  // Medians of what the device believed.
  double believed_up_bps = 0;
  double believed_rtt_us = 0;
  double device_slowdown = 1;
  double edge_slowdown = 1;
  std::int64_t pictures = 0;
  std::int64_t right = 0;
  double expected_accuracy = 0;      // The mean of the plans, as calibrated.
  std::map<std::string, int> plans;  // "cut/encoding/exit" -> inferences.
};

// Of plans with the number of inferences that ran by each, the one of the most; "-" of none.
std::string MostUsedPlan(const std::map<std::string, int>& plans);

// Runs one inference, after a pause in which a device's quota recovers.
absl::StatusOr<Sample> InferRested(const Contender& contender, std::int64_t item);

// Measures each contender in two blocks, in one order and then in the reverse one, so that what
// drifts hits all alike, on the same pictures; one device is awake at a time. Returns a cell for
// each, in their order. Cancelled soon after the token is set.
absl::StatusOr<std::vector<Cell>> RunContest(const std::vector<Contender>& contenders,
                                             double rate_bps, const ContestOptions& options);

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_CONTEST_H_
