#ifndef CLEAVE_DEVICE_LOCAL_RUNNER_H_
#define CLEAVE_DEVICE_LOCAL_RUNNER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/device.h"
#include "core/clock.h"
#include "device/confidence.h"
#include "device/local_model.h"
#include "device/own_estimates.h"
#include "device/pass.h"

namespace cleave {

// Runs on the device what of a pass the device has to run, and learns from it how fast it is.
// Thread-safe.
class LocalRunner {
 public:
  // All of them must outlive it.
  LocalRunner(const LocalModel& model, std::optional<ConfidenceRule> confidence, OwnEstimates& own,
              const Clock& clock)
      : model_(model), confidence_(confidence), own_(own), clock_(clock) {}

  // Pictures to the model's input. InvalidArgument for a file that is none.
  absl::Status Prepare(Pass& pass, InferenceRecord& record) const;

  // Runs up to the decided cut; to the end where the device does it all.
  absl::Status RunHead(Pass& pass, InferenceRecord& record) const;

  // Goes on from where the pass is, and enters the outputs.
  absl::Status RunToEnd(Pass& pass, std::int64_t& spent_us, InferenceRecord& record) const;

  // The outputs of the pass's hedge; Cancelled soon after the token is set.
  // REQUIRES: pass.hedge, and that the head has run.
  absl::StatusOr<std::vector<NamedTensor>> RunHedge(Pass& pass, const CancelToken& cancel,
                                                    InferenceRecord& record) const;

  // With a rule of confidence: looks at each early exit on the way to the plan's cut; true when one
  // was sure and the inference is done. What of the trunk was run on the way stays in `pass`.
  absl::StatusOr<bool> TryEarlyExits(Pass& pass, InferenceRecord& record) const;

 private:
  absl::Status KeepForHedge(Pass& pass, InferenceRecord& record) const;
  absl::Status RunTo(int cut, Pass& pass, std::int64_t& spent_us) const;
  absl::StatusOr<ChainResult> Run(const LocalExit& exit, int from, int to,
                                  const std::vector<NamedTensor>& tensors, std::int64_t batch,
                                  const CancelToken& cancel = {}) const;

  const LocalModel& model_;
  const std::optional<ConfidenceRule> confidence_;
  OwnEstimates& own_;
  const Clock& clock_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_LOCAL_RUNNER_H_
