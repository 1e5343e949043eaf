#ifndef CLEAVE_DEVICE_LOCAL_RUNNER_H_
#define CLEAVE_DEVICE_LOCAL_RUNNER_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "core/clock.h"
#include "device/confidence.h"
#include "device/inference.h"
#include "device/local_model.h"
#include "device/own_estimates.h"
#include "device/shape_costs.h"

namespace cleave {

// Runs what the device has to run of an inference, and learns from it how fast the device is. It
// keeps nothing of an inference. Thread-safe.
class LocalRunner {
 public:
  // The arguments must outlive it.
  LocalRunner(const LocalModel& model, std::optional<ConfidenceRule> confidence, OwnEstimates& own,
              ShapeBook& book, const Clock& clock)
      : model_(model), confidence_(confidence), own_(own), book_(book), clock_(clock) {}

  // Runs up to the decided cut; to the end where the device does it all. With a rule of confidence
  // it looks at each early exit on the way, and the first that is sure enough is the answer. With a
  // filter it runs up to the filter's cut in any case, and where that finds nothing, this is the
  // answer.
  // InvalidArgument for a picture that cannot be decoded; Cancelled soon after request.cancel is
  // set, also of the next two.
  absl::StatusOr<HeadRun> RunHead(const InferenceRequest& request, const Decided& decided) const;

  // Runs the hedge; its outputs are Cancelled soon after the token is set.
  // REQUIRES: decided.hedge, and `head` ended at the cut.
  HedgeRun RunHedge(const InferenceRequest& request, const Decided& decided, const HeadRun& head,
                    const CancelToken& cancel) const;

  // Goes on from the head where the edge gave no answer.
  absl::StatusOr<Answer> RunTail(const InferenceRequest& request, const Decided& decided,
                                 const HeadRun& head, Unanswered unanswered) const;

 private:
  // What looking at the early exits came to.
  struct EarlyExits {
    ChainProgress progress;  // How far the plan's chain was run for that.
    std::optional<double> confidence;
    std::optional<Answer> answer;  // That of the exit that was sure enough.
  };

  // The model's inputs, decoded where they came as pictures.
  absl::StatusOr<PreparedInput> Prepare(const InferenceRequest& request) const;
  absl::StatusOr<EarlyExits> TryEarlyExits(const InferenceRequest& request, const Decided& decided,
                                           ChainProgress progress) const;
  // Asks the filter, and puts what it says and what was run for it into the head.
  absl::Status AskFilter(const InferenceRequest& request, const Decided& decided,
                         HeadRun& head) const;
  absl::StatusOr<ChainProgress> RunTo(const LocalExit& exit, int boundary,
                                      const InferenceRequest& request, ChainProgress from) const;
  absl::StatusOr<std::vector<NamedTensor>> RunHedgeFrom(const std::vector<NamedTensor>& live,
                                                        const HedgePlan& hedge,
                                                        const InputShapes& shapes,
                                                        const CancelToken& cancel) const;
  absl::StatusOr<ChainResult> Run(const LocalExit& exit, int from, int to,
                                  const std::vector<NamedTensor>& tensors,
                                  const InputShapes& shapes, const CancelToken& cancel) const;

  const LocalModel& model_;
  const std::optional<ConfidenceRule> confidence_;
  OwnEstimates& own_;
  ShapeBook& book_;
  const Clock& clock_;
};

}  // namespace cleave

#endif  // CLEAVE_DEVICE_LOCAL_RUNNER_H_
