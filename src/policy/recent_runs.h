#ifndef CLEAVE_POLICY_RECENT_RUNS_H_
#define CLEAVE_POLICY_RECENT_RUNS_H_

#include <cstdint>

namespace cleave {

// What became of the last inferences; recent ones count more. It is part of an Observation.
struct RecentRuns {
  int count = 0;              // At most RunHistory::kFull. With 0 the figures below mean nothing.
  double miss_share = 0;      // The share of deadlines that were missed; 0 without any.
  double last_log_ratio = 0;  // ln(latency / prediction) of the last one.
  double mean_log_ratio = 0;  // The weighted mean of the same,
  double log_ratio_deviation = 0;  // and its weighted standard deviation.
  double last_latency_us = 0;
  bool last_missed = false;
  bool last_remote = false;  // The last one was meant for the edge.
};

// One inference that ended.
struct EndedRun {
  double predicted_us = 0;  // When it was decided.
  double latency_us = 0;
  bool missed = false;  // It had a deadline, and missed it.
  bool remote = false;  // It was meant for the edge, in whole or in part.
};

// Keeps RecentRuns up to date with exponential weights. Thread-compatible: callers lock.
class RunHistory {
 public:
  static constexpr int kFull = 32;
  static constexpr double kWeight = 0.15;  // The weight of the newest run.

  // A run is ignored where prediction or latency is not above 0 and finite.
  void Add(const EndedRun& run);

  const RecentRuns& Get() const { return runs_; }

 private:
  RecentRuns runs_;
  double mean_square_ = 0;
};

}  // namespace cleave

#endif  // CLEAVE_POLICY_RECENT_RUNS_H_
