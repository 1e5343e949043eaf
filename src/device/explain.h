#ifndef CLEAVE_DEVICE_EXPLAIN_H_
#define CLEAVE_DEVICE_EXPLAIN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"

namespace cleave {

// A state of link and edge that the user gives.
struct AssumedState {
  double up_bps = 10e6;
  double down_bps = 10e6;
  double rtt_us = 20'000;
  double queue_us = 0;
  double picture_bytes = 0;  // The size of a picture's file; 0: inputs come as tensors.
  double device_slowdown = 1;
  double edge_slowdown = 1;
  std::string edge_profile;  // A file. Empty: the device's own profile stands in.
  // InvalidArgument names the field.
  absl::Status Validate() const;
};

// The forecast of every candidate plan under this state, without an edge. It needs the model and
// the device's profile, which is read from options.runtime.profile or the cache, or measured now.
// Errors name the file or the field.
absl::StatusOr<std::vector<PlanForecast>> ExplainAssumed(const std::string& model_path,
                                                         const DeviceOptions& options,
                                                         const AssumedState& state);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_EXPLAIN_H_
