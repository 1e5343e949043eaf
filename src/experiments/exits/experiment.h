#ifndef CLEAVE_EXPERIMENTS_EXITS_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_EXITS_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"

namespace cleave::experiments::exits {

// What `cleave experiment exits` is to measure: BranchyNet's table (arXiv 1709.01686) for one model
// with exits, by confidence, on the device alone and with the unsure inputs sent to the edge.
struct Options {
  std::string model;
  std::string data;  // Folder of labelled pictures.
  // As DeviceOptions::exit_confidence; "" is the last exit for all.
  std::vector<std::string> thresholds = {
      "",          "entropy:0.01", "entropy:0.05", "entropy:0.1", "entropy:0.25", "entropy:0.5",
      "entropy:1", "0.5",          "0.8",          "0.95"};
  int pictures = 500;
  double rate_bps = 2e6;  // Of the link.
  double device_share = 0.25;
  std::uint64_t seed = 2;
  bool force_relay = false;
  std::string output = "exits.json";
  std::string program;  // The `cleave` that becomes edge and devices.
  std::function<void(const std::string&)> on_progress;  // One line for people.
  CancelToken cancel;

  absl::Status Validate() const;
};

struct Row {
  std::string threshold;
  std::string where;  // "device" or "split"
  int pictures = 0;
  int right = 0;
  int fallbacks = 0;
  double mean_us = 0;
  double median_us = 0;
  double bytes_up = 0;             // Mean of a picture.
  std::vector<double> exit_share;  // Of the pictures, by exit.
};

struct Results {
  std::string model, digest, link, command;
  double rate_bps = 0;
  double device_share = 1;
  bool device_slowed = false;
  std::vector<std::string> exits;  // Names.
  std::vector<std::string> notes;
  std::vector<Row> rows;
};

// Measures; both ways of a threshold in turns on the same pictures.
absl::StatusOr<Results> RunExperiment(const Options& options, const std::string& command);

std::string ToJson(const Results& results);
std::string ToText(const Results& results);  // A table in Markdown.

}  // namespace cleave::experiments::exits

#endif  // CLEAVE_EXPERIMENTS_EXITS_EXPERIMENT_H_
