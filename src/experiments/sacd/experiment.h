#ifndef CLEAVE_EXPERIMENTS_SACD_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_SACD_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/sacd/results.h"

namespace cleave::experiments::sacd {

// The parts of the experiment.
enum class Part { kSimulated, kReal };

// Returns what these words name: simulated and real. InvalidArgument names the word and those that
// there are, and refuses an empty list.
absl::StatusOr<std::vector<Part>> ParseParts(const std::vector<std::string>& words);

// What `cleave experiment sacd` is to simulate and to measure. docs/experiments.md tells the
// method.
struct Options {
  std::string model;
  std::string environment;            // TOML file; its held-out traces are used.
  std::vector<std::string> policies;  // ONNX files; those of one algorithm differ in the seed.
  std::vector<std::string> traces;    // UP or UP:DOWN files, in place of the environment's.
  std::string traces_dir;  // Where the environment's traces are looked up; empty: beside its file.
  std::vector<Part> parts = {Part::kSimulated, Part::kReal};
  std::string data;    // Folder of labelled pictures, for the real part.
  std::string curves;  // The training's JSON, for the report; empty: none.

  int courses = 50;
  int inferences = 1000;
  int block = 25;
  int warmup = 5;
  double device_share = 1;
  bool cpu_quota = false;
  std::optional<double> deadline_us;  // Real; nothing: the middle of the environment's range.
  std::optional<double> max_miss;
  std::uint64_t seed = 1;
  bool force_relay = false;

  std::string output = "sacd.json";
  std::string report;   // HTML file; empty: none.
  std::string program;  // The `cleave` that becomes edge and devices.
  std::string command_line;
  std::function<void(const std::string&)> on_progress;  // One line for people.
  CancelToken cancel;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Simulates and measures; saves the output file after the simulation and after every cycle of the
// real part. A cancelled run returns what it has.
absl::StatusOr<Results> RunExperiment(const Options& options);

// Ranking and goals of what the results hold.
void Conclude(Results& results);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_EXPERIMENT_H_
