#ifndef CLEAVE_DEVICE_GREETING_H_
#define CLEAVE_DEVICE_GREETING_H_

#include <memory>
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
  std::string model;       // The model's name at the edge.
  std::string model_path;  // The model's file, which may be pushed.
  std::string digest;
  std::shared_ptr<const CodecFile> codecs;  // The device's; null: it has none.
  // By exit: the cuts that the device has, ascending, without the last (all on the device).
  std::vector<std::vector<int>> cuts;
  std::vector<int> wanted_exits;  // The exits whose profiles are asked for, the main one first.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  InputShapes shapes;             // Those of the inputs for which a profile is wanted.
  std::int64_t reply_bytes = 64;  // The size of a whole answer, and so of a probe's.
  // Whether an edge that lacks the model or these codecs is offered them.
  bool push = false;
};

// What a device with this model asks for; options.edge.model is the model's name at the edge.
GreetingTerms TermsFor(const LocalModel& model, const std::string& model_path,
                       const DeviceOptions& options);

// Asks the edge for the model and, where it lacks it and terms.push is set, pushes it; the same for
// the codecs, but that it is no error where the edge does not take them: EdgeOffer::codec_problem
// says why.
// FailedPrecondition for a model of another digest, or a plain Open Inference Protocol server whose
// inputs and outputs are others; else the errors of EdgeClient.
absl::StatusOr<EdgeOffer> GreetEdge(EdgeClient& client, const GreetingTerms& terms);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_GREETING_H_
