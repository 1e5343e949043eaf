#ifndef CLEAVE_EXPERIMENTS_EXITS_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_EXITS_EXPERIMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/plan.h"
#include "experiments/rig/model_experiment.h"

namespace cleave::experiments::exits {

// What `cleave experiment exits` is to measure: BranchyNet's table (arXiv 1709.01686) for one model
// with exits, by confidence, on the device alone and with the unsure inputs sent to the edge.
struct Options : rig::ModelOptions {
  Options() : ModelOptions{.device_share = 0.25, .output = "exits.json"} {}

  // As DeviceOptions::exit_confidence; "" is the last exit for all.
  std::vector<std::string> thresholds = {
      "",          "entropy:0.01", "entropy:0.05", "entropy:0.1", "entropy:0.25", "entropy:0.5",
      "entropy:1", "0.5",          "0.8",          "0.95"};
  int pictures = 500;
  double rate_bps = 2e6;  // The link's rate.

  absl::Status Validate() const;
};

struct Row {
  std::string threshold;
  // What the policy allows: the device alone, or a split.
  Where where = Where::kDevice;
  int pictures = 0;
  int right = 0;
  int fallbacks = 0;
  double mean_us = 0;
  double median_us = 0;
  double bytes_up = 0;             // The mean of a picture.
  std::vector<double> exit_share;  // The share of the pictures that left at each exit.
};

struct Results : rig::ModelResults {
  double rate_bps = 0;
  std::vector<std::string> exits;  // Their names.
  std::vector<Row> rows;
};

// Measures both policies of a threshold in turns on the same pictures.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
std::string ToText(const Results& results);  // A table in Markdown.

}  // namespace cleave::experiments::exits

#endif  // CLEAVE_EXPERIMENTS_EXITS_EXPERIMENT_H_
