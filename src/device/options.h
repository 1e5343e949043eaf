#ifndef CLEAVE_DEVICE_OPTIONS_H_
#define CLEAVE_DEVICE_OPTIONS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "cleave/plan.h"
#include "policy/policy.h"

namespace cleave {

// What DeviceOptions::encodings names, each once, in the enum's order; fp32 is always among them.
absl::StatusOr<std::vector<Encoding>> EncodingsOf(const DeviceOptions& options);

// What these options forbid a policy.
Constraints ConstraintsOf(const DeviceOptions& options);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_OPTIONS_H_
