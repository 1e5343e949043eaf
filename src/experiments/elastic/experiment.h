#ifndef CLEAVE_EXPERIMENTS_ELASTIC_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_ELASTIC_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"

namespace cleave::experiments::elastic {

// What `cleave experiment elastic` is to measure (docs/elastic.md): one calibrated model on real
// pictures, over the shaped link with a slowed device, under each way of placing it.
struct Options {
  std::string model;
  std::string data;  // Folder of labelled pictures.
  std::vector<double> rates_bps = {0.5e6, 1e6, 2e6, 5e6, 10e6, 50e6};
  std::int64_t batch = 16;  // Pictures of an inference.
  int inferences = 32;      // Counted ones, of each way at each rate.
  std::int64_t settle_us =
      3'000'000;  // That a device which was asleep gets to see what has changed.
  int warmup = 3;
  double device_share = 0.04;
  double accuracy_drop = 0.005;   // That the ways with encodings and exits may give up.
  std::string encodings = "all";  // That these two choose among, as DeviceOptions has them.
  std::uint64_t seed = 2;
  bool force_relay = false;
  std::string output = "elastic.json";
  std::string program;  // The `cleave` that becomes edge and devices.
  std::function<void(const std::string&)> on_progress;  // One line for people.
  CancelToken cancel;

  absl::Status Validate() const;
};

// One way of placing the model at one rate.
struct Cell {
  std::string way;
  double rate_bps = 0;
  int inferences = 0;
  int fallbacks = 0;
  double mean_us = 0;
  double median_us = 0;
  double p25_us = 0;
  double p75_us = 0;
  double predicted_us = 0;  // Mean.
  double bytes_up = 0;      // Mean of an inference.
  // What the device believed, medians.
  double believed_up_bps = 0;
  double believed_rtt_us = 0;
  double device_slowdown = 1;
  double edge_slowdown = 1;
  std::int64_t pictures = 0;
  std::int64_t right = 0;
  double expected_accuracy = 0;      // Mean of the plans', as calibrated.
  std::map<std::string, int> plans;  // "cut/encoding/exit" -> inferences.
};

// All rates of one way together: is the accuracy what the calibration said?
struct Agreement {
  std::string way;
  std::int64_t pictures = 0;
  double measured = 0;
  double expected = 0;  // As calibrated, mean over the plans that ran.
  double margin = 0;    // 95% of their differences, were they the same.
  bool agrees = false;
};

struct Results {
  std::string model, digest, link, command;
  std::int64_t batch = 1;
  double device_share = 1;
  bool device_slowed = false;
  double accuracy_drop = 0;
  std::string encodings;
  std::int64_t calibration_samples = 0;
  std::vector<std::string> notes;
  std::vector<Cell> cells;
  std::vector<Agreement> agreements;
  bool complete = false;
};

// Measures, each way in two blocks at each rate, there and back, on the same pictures; one device
// is awake at a time. Saves `output` after every rate.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
// Tables in Markdown: time, bytes and accuracy by way and rate; ratios; agreement.
std::string ToText(const Results& results);

// Names of the ways, in the order of the table.
std::vector<std::string> Ways();

}  // namespace cleave::experiments::elastic

#endif  // CLEAVE_EXPERIMENTS_ELASTIC_EXPERIMENT_H_
