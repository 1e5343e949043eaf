#ifndef CLEAVE_DEVICE_LOCAL_MODEL_H_
#define CLEAVE_DEVICE_LOCAL_MODEL_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "model/cuts.h"
#include "model/graph.h"
#include "profile/profile.h"
#include "runtime/chain.h"

namespace cleave {

// A model as a device holds it: ready to run from any candidate cut to any other, with the time
// that takes here. Immutable after Load. Thread-safe.
struct LocalModel {
  std::shared_ptr<const Graph> graph;
  CutTable table;               // At the batch it was opened at (a fixed one: the model's own).
  std::vector<int> candidates;  // Indices into table.cuts, ascending: the chain's boundaries.
  std::unique_ptr<Chain> chain;
  Profile profile;
  double warm_run_us = 0;  // The whole model, just now: tells the present slow-down.

  int last_cut() const { return candidates.back(); }

  // Loads, cuts, and finds or measures the profile. Errors name the file or the option.
  static absl::StatusOr<LocalModel> Load(const std::string& model_path,
                                         const DeviceOptions& options);
};

// The batch size of these tensors, which must be the model's inputs, each once, with its type, rank
// and fixed dimensions. InvalidArgument names the tensor, what was found and what was expected.
absl::StatusOr<std::int64_t> CheckInputs(const Graph& graph,
                                         const std::vector<NamedTensor>& inputs);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_LOCAL_MODEL_H_
