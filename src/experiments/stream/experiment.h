#ifndef CLEAVE_EXPERIMENTS_STREAM_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_STREAM_EXPERIMENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/rig/grid.h"

namespace cleave::experiments::stream {

// What `cleave experiment stream` is to measure: how many inferences a second a device answers with
// an edge's help where several overlap, over a shaped link between real processes, against staying
// local, sending pictures, and the best fixed cuts. Every plan has to reach a bar of accuracy.
struct Options : rig::GridOptions {
  Options() {
    output = "stream.json";
    rates_bps = {1e6, 2e6, 5e6, 10e6, 50e6};
    device_shares = {0.125, 0.25, 1};
  }

  std::int64_t in_flight = 4;  // Of every contender.
  int fixed_cuts = 2;          // So many plans at cuts, the best as forecast, are measured as well.
  double seconds = 8;          // Of each contender at each point, in two halves.

  absl::Status Validate() const;
};

// What a contender does.
enum class Kind : std::uint8_t {
  kOwn,       // `dynamic` with the objective of throughput.
  kLocal,     // All on the device.
  kPictures,  // It sends pictures, or the input in full.
  kCut,       // It sends the tensors of one cut above 0.
};

// What a contender has measured at one point.
struct Cell {
  std::string name;
  Kind kind = Kind::kOwn;
  int frames = 0;
  double frames_per_s = 0;                 // The mean of the two halves,
  double least_per_s = 0, most_per_s = 0;  // which spread so far.
  double p50_us = 0, p99_us = 0;           // Of the time of an inference.
  double bytes_up = 0;                     // The mean of an inference.
  double expected_accuracy = 0;            // The mean of the plans, as calibrated.
  int fallbacks = 0;
  double believed_up_bps = 0;
  std::map<std::string, int> plans;  // "cut/encoding/exit" -> inferences.
};

// One share of a core and one rate, all contenders side by side; the first is `dynamic`.
struct Point {
  double device_share = 1;
  double rate_bps = 0;
  std::vector<Cell> cells;
  // The time of the slowest stage of the plan that `dynamic` used most: what its device forecasts,
  // or the link takes for the bytes that were sent.
  double slowest_stage_us = 0;

  const Cell& own() const { return cells.front(); }
  // The one with the most frames of these kinds; null where there is none.
  const Cell* Best(const std::vector<Kind>& kinds) const;
  // The frames of `dynamic` over those of the best of all others.
  double RatioToBest() const;
  // The frames of the better of `dynamic`, where it cuts, and the best fixed cut, over those of the
  // best of staying local and sending pictures.
  double CutRatio() const;
  // The frames of `dynamic` over what its slowest stage allows.
  double StageRatio() const;
};

struct Results : rig::ModelResults {
  double min_accuracy = 0;
  std::int64_t in_flight = 0;
  std::vector<Point> points;
  bool complete = false;
};

// Measures all points; saves `output` after each. FailedPrecondition where the model has no
// calibration.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
// Returns a table in Markdown for each share, and who wins where.
std::string ToText(const Results& results);

}  // namespace cleave::experiments::stream

#endif  // CLEAVE_EXPERIMENTS_STREAM_EXPERIMENT_H_
