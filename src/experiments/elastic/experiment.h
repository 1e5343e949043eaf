#ifndef CLEAVE_EXPERIMENTS_ELASTIC_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_ELASTIC_EXPERIMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "experiments/rig/contest.h"
#include "experiments/rig/model_experiment.h"

namespace cleave::experiments::elastic {

// What `cleave experiment elastic` is to measure (docs/elastic.md): one calibrated model on real
// pictures, over the shaped link with a slowed device, under each policy of Policies().
struct Options : rig::ModelOptions {
  Options() : ModelOptions{.device_share = 0.04, .output = "elastic.json"} {}

  std::vector<double> rates_bps = {0.5e6, 1e6, 2e6, 5e6, 10e6, 50e6};
  std::int64_t batch = 16;  // Pictures of an inference.
  int inferences = 32;      // Inferences that count, of each policy at each rate.
  // What a device that was asleep gets, to see what has changed.
  std::int64_t settle_us = 3'000'000;
  int warmup = 3;
  // What the policies with encodings and exits may give up of the accuracy.
  double accuracy_drop = 0.005;
  std::string encodings = "all";  // What these two choose among, as DeviceOptions has them.

  absl::Status Validate() const;
};

using rig::Cell;  // One policy at one rate.

// All rates of one policy together: is the accuracy what the calibration said?
struct Agreement {
  std::string policy;
  std::int64_t pictures = 0;
  double measured = 0;
  double expected = 0;  // As calibrated, the mean over the plans that ran.
  double margin = 0;    // Within it lie 95% of their differences, were they the same.
  bool agrees = false;
};

struct Results : rig::ModelResults {
  std::int64_t batch = 1;
  double accuracy_drop = 0;
  std::string encodings;
  std::int64_t calibration_samples = 0;
  std::vector<Cell> cells;
  std::vector<Agreement> agreements;
  bool complete = false;
};

// Measures each policy in two blocks at each rate, in one order and then in the reverse one, on the
// same pictures; one device is awake at a time. Saves `output` after every rate.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
// Returns tables in Markdown: time, bytes and accuracy by policy and rate; ratios; agreement.
std::string ToText(const Results& results);

// Returns the names of the policies, in the order of the table.
std::vector<std::string> Policies();

}  // namespace cleave::experiments::elastic

#endif  // CLEAVE_EXPERIMENTS_ELASTIC_EXPERIMENT_H_
