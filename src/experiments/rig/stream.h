#ifndef CLEAVE_EXPERIMENTS_RIG_STREAM_H_
#define CLEAVE_EXPERIMENTS_RIG_STREAM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"

namespace cleave::experiments::rig {

// A stream of inferences that overlap, each begun as soon as there is room for it.

struct StreamTerms {
  std::string policy;  // As Device::SetPolicy takes it.
  double seconds = 5;  // Inferences are begun for so long.
  std::int64_t first_item = 0;
};

struct StreamResult {
  int frames = 0;           // All that were answered.
  double frames_per_s = 0;  // Of the answers between the first and the last.
  std::vector<double> latencies_us;
  double bytes_up = 0;  // The means of an inference.
  double bytes_down = 0;
  int fallbacks = 0;
  double expected_accuracy = 0;      // The mean of the plans, as calibrated.
  double believed_up_bps = 0;        // The median of what the device believed.
  std::map<std::string, int> plans;  // "cut/encoding/exit" -> inferences.
};

// The files of the pictures of one inference.
using StreamFiles = std::function<absl::StatusOr<std::vector<std::string>>(std::int64_t item)>;

// Runs a stream on a device, whose policy is set already, and waits for its last answer. The first
// error of an inference is returned.
absl::StatusOr<StreamResult> RunStream(Device& device, const StreamTerms& terms,
                                       const StreamFiles& files);

}  // namespace cleave::experiments::rig

#endif  // CLEAVE_EXPERIMENTS_RIG_STREAM_H_
