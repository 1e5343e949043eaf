#ifndef CLEAVE_EXPERIMENTS_DSC_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_DSC_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::dsc {

// The parts of the experiment.
enum class Part { kMicro, kGrid, kStep, kTrace, kKills };

// These return what the words name: idle and busy; micro, grid, step, trace and kills.
// InvalidArgument names the word and those that there are.
absl::StatusOr<std::vector<Load>> ParseLoads(const std::vector<std::string>& words);
absl::StatusOr<std::vector<Part>> ParseParts(const std::vector<std::string>& words);

// What `cleave experiment dsc` is to measure. docs/experiments.md tells the method.
struct Options {
  std::vector<std::string> models;  // Files, or folders whose *.onnx are all taken.
  std::vector<double> rates_bps = {1e6, 2e6, 5e6, 10e6, 20e6, 50e6, 100e6, 300e6};
  std::vector<std::int64_t> batches = {1, 4, 16};
  std::vector<Load> loads = {Load::kIdle, Load::kBusy};
  std::vector<Part> parts = {Part::kMicro, Part::kGrid, Part::kStep, Part::kTrace, Part::kKills};
  double device_share = 0.25;
  std::int64_t time_budget_us = std::int64_t{30} * 60 * 1'000'000;
  int repeats = 5;        // How often brute force runs each cut that is not hopeless.
  int final_repeats = 5;  // How often the best cuts take turns with `dynamic`.
  int warmup = 5;         // Inferences of `dynamic` before those that count.
  double busy_utilization = 0.6;
  double predict_only_above_us = 5e6;
  int kills = 20;
  int step_cycles = 3;
  std::vector<std::string> traces;  // Mahimahi files for the uplink; none: a made-up one.
  double trace_s = 60;
  int micro_pairs = 10;
  std::int64_t picture_bytes = 0;  // Size of the file that `jpeg` sends; 0: a made-up picture's.
  std::uint64_t seed = 1;
  bool force_relay = false;
  bool resume = false;  // Keep the points that the output file has.

  std::string output = "dsc.json";
  std::string report;          // HTML file; empty: none.
  std::string program;         // The `cleave` that becomes edge and devices.
  std::string loopback_bench;  // Empty: that figure is not measured.
  std::string command_line;    // The command as given, for the report.
  std::function<void(const std::string&)> on_progress;  // One line for people.
  CancelToken cancel;

  // The reduced form that `make bench` runs: few points, few repeats.
  void Shorten();
  absl::Status Validate() const;
};

// A point of the grid that is still to be measured.
struct PointSpec {
  std::size_t model = 0;  // Index into the list of models.
  double rate_bps = 0;
  std::int64_t batch = 1;
  Load load = Load::kIdle;
  bool coarse = true;  // Whether its rate is among every other one.
};

// Returns all points in the order in which they are visited: the coarse ones over all models,
// batches and loads first, so that a run that ends early has seen the whole range coarsely.
std::vector<PointSpec> PlanGrid(const Options& options, std::size_t models);

// Returns the files of `models`, folders replaced by their *.onnx, sorted within a folder. NotFound
// for none.
absl::StatusOr<std::vector<std::string>> ListModels(const std::vector<std::string>& models);

// Measures, saving the output file (and the report) after every point. A cancelled run returns what
// it has. Errors only where nothing can be measured at all; what failed at one point stands there.
absl::StatusOr<Results> RunExperiment(const Options& options);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_EXPERIMENT_H_
