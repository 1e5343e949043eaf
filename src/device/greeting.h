#ifndef CLEAVE_DEVICE_GREETING_H_
#define CLEAVE_DEVICE_GREETING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "cleave/tensor.h"
#include "device/local_model.h"
#include "device/plan_table.h"
#include "wire/client.h"

namespace cleave {

// What the device wants of an edge.
struct GreetingTerms {
  std::string model;       // Its name there.
  std::string model_path;  // Here; what is pushed.
  std::string digest;
  // By exit: the cuts the device has, the last (all on the device) left out; ascending.
  std::vector<std::vector<int>> cuts;
  std::vector<int> wanted_exits;  // Whose profiles are asked for, the one that matters most first.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  std::int64_t batch = 1;
  std::int64_t reply_bytes = 64;  // Of a whole answer: as large as a probe's reply needs to be.
  bool push = false;
};

// What a device with this model asks for; options.edge_model is the model's name there.
GreetingTerms TermsFor(const LocalModel& model, const std::string& model_path,
                       const DeviceOptions& options);

// Asks the edge for the model and, where it lacks it and terms.push is set, pushes it.
// FailedPrecondition for a model of another digest, or a plain Open Inference Protocol server whose
// inputs and outputs are others; else what the client says.
absl::StatusOr<EdgeOffer> GreetEdge(EdgeClient& client, const GreetingTerms& terms);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_GREETING_H_
