#ifndef CLEAVE_DEVICE_OPTIONS_H_
#define CLEAVE_DEVICE_OPTIONS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "cleave/plan.h"
#include "device/local_model.h"
#include "policy/constraints.h"
#include "wire/client.h"

namespace cleave {

// How the edge is connected to.
ClientOptions ClientOptionsOf(const DeviceOptions::Edge& edge);

// The encodings that `plans` names, each once, in the enum's order; fp32 is always among them.
absl::StatusOr<std::vector<Encoding>> EncodingsOf(const DeviceOptions::Plans& plans);

// Whether the model can meet the accuracy that the user asks for: InvalidArgument without a
// calibration, or with a bar above the best exit's accuracy, which the message tells.
absl::Status CheckAccuracyBar(const LocalModel& model, const DeviceOptions::Plans& plans);

// InvalidArgument for exit_confidence with an `exit` that is not the last: nothing looks at early
// exits on the way there.
absl::Status CheckConfidenceExit(const LocalModel& model, const DeviceOptions::Plans& plans);

// What the user asks of a policy.
Constraints ConstraintsOf(const DeviceOptions& options);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_OPTIONS_H_
