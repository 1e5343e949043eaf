#ifndef CLEAVE_EXPERIMENTS_RIG_MODEL_EXPERIMENT_H_
#define CLEAVE_EXPERIMENTS_RIG_MODEL_EXPERIMENT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/rig/rig.h"
#include "model/graph.h"

namespace cleave::experiments::rig {

// What the experiments on one calibrated model and real pictures have in common.

struct ModelOptions {
  std::string model;
  std::string data;         // Folder of pictures.
  double device_share = 1;  // The device's share of a core.
  std::uint64_t seed = 2;
  bool force_relay = false;
  std::string output;
  std::string program;  // The `cleave` that becomes edge and devices.
  std::function<void(const std::string&)> on_progress;  // One line for people.
  CancelToken cancel;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// InvalidArgument unless there are rates, all above 0.
absl::Status CheckRates(const std::vector<double>& rates_bps);

struct ModelResults {
  std::string model, digest, link, command;
  double device_share = 1;
  bool device_slowed = false;
  std::vector<std::string> notes;
};

// Starts a rig whose edge serves the model, its profiles measured at this batch size for every
// exit; says in `results` what it is.
absl::StatusOr<std::unique_ptr<Rig>> StartModelRig(const ModelOptions& options, const Graph& graph,
                                                   std::int64_t batch, ModelResults& results);

// Starts a device of that rig, awake, which can use the edge.
absl::StatusOr<std::unique_ptr<Worker>> StartModelWorker(Rig& rig, WorkerOptions options);

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_MODEL_EXPERIMENT_H_
