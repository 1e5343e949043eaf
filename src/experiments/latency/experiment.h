#ifndef CLEAVE_EXPERIMENTS_LATENCY_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_LATENCY_EXPERIMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/rig/contest.h"
#include "experiments/rig/grid.h"
#include "experiments/rig/model_experiment.h"

namespace cleave::experiments::latency {

// What `cleave experiment latency` is to measure: what the fitted codecs of a calibrated model
// bring in time, over a shaped link between real processes, against the best of what could be done
// without them, where every plan has to reach a bar of accuracy.
struct Options : rig::GridOptions {
  Options() {
    output = "latency.json";
    rates_bps = {0.5e6, 1e6, 2e6, 5e6, 10e6};
    device_shares = {0.25, 0.125};
  }

  int inferences = 20;  // Inferences that count, of each contender at each point.
  int warmup = 3;

  absl::Status Validate() const;
};

// One share of a core and one rate, all contenders side by side.
struct Point {
  double device_share = 1;
  std::vector<rig::Cell> cells;

  double rate_bps() const { return cells.front().rate_bps; }
  // The fastest of the rivals; null where there is none.
  const rig::Cell* BestRival() const;
  // The time of `dynamic` with all encodings over that of the best rival.
  double Ratio() const;
};

struct Results : rig::ModelResults {
  double min_accuracy = 0;
  std::vector<Point> points;
  bool complete = false;
};

// The contender that has all encodings; every other one is its rival.
inline constexpr char kOwn[] = "dynamic, all encodings";

// Measures all points; saves `output` after each. FailedPrecondition where the model has no
// calibration or no plan of a fitted codec reaches the bar.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
// Returns a table in Markdown for each share, and how many points reach which ratio.
std::string ToText(const Results& results);

}  // namespace cleave::experiments::latency

#endif  // CLEAVE_EXPERIMENTS_LATENCY_EXPERIMENT_H_
