#ifndef CLEAVE_DEVICE_INFERENCE_H_
#define CLEAVE_DEVICE_INFERENCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "device/local_model.h"
#include "device/plan_table.h"
#include "device/shared_heads.h"
#include "device/timeout.h"
#include "policy/observation.h"
#include "policy/plan_table.h"

// The values that an inference is on its way through a device: each stage is given those of the
// stages before it and returns its own. Decider::Decide makes a Decided of an InferenceRequest,
// LocalRunner::RunHead a HeadRun, and the edge or the device an Answer; AssembleRecord makes the
// InferenceRecord of them all. They are plain values that no two inferences share.

namespace cleave {

// An inference as the caller asked for it.
struct InferenceRequest {
  std::int64_t id = 0;
  std::int64_t start_us = 0;  // By the device's clock.
  std::int64_t batch = 1;
  std::optional<std::int64_t> deadline_us;  // After start_us.
  std::vector<NamedTensor> tensors;         // The model's inputs; none where `pictures` are given.
  // The files of a batch of pictures, which the caller keeps until the inference has ended.
  std::span<const std::string> pictures;

  bool has_pictures() const { return !pictures.empty(); }
};

// An earlier exit that the device finishes by itself while the edge's answer is on its way.
struct HedgePlan {
  PlanCost cost;
  const LocalExit* exit = nullptr;
  SharedHeads::Point from;  // Where its path leaves that of the decided plan.
};

// What is to be done, and what the device believed when it decided so.
struct Decided {
  Plan plan;      // As the policy chose it.
  PlanCost cost;  // Of what is run: `plan`, or its exit on the device where the edge is too late.
  Where where = Where::kDevice;     // Where the inference is meant to run.
  const LocalExit* exit = nullptr;  // Of `cost`; owned by the LocalModel.
  bool entropy = false;             // Whether the frames are entropy coded.
  bool user_chose_plan = false;     // The policy is `edge` or `fixed:...`.
  std::shared_ptr<const EdgeOffer> offer;
  std::optional<HedgePlan> hedge;       // Only where the edge is asked.
  std::string reason;                   // Why the policy chose the plan.
  std::optional<std::string> fallback;  // Why the edge is not asked, although a policy may ask it.
  double predicted_us = 0;
  Observation observation;
  double link_up_bps = 0;  // As estimated; 0 without an edge.
  std::int64_t decide_us = 0;

  bool plain_edge() const { return offer != nullptr && offer->plain; }
  // Whether the pictures travel as files, so that the device need not decode them.
  bool sends_pictures() const { return where != Where::kDevice && IsPicture(cost.plan.encoding); }
};

// The model's inputs.
struct PreparedInput {
  std::vector<NamedTensor> tensors;
  std::int64_t prepare_us = 0;  // Decoding the pictures took so long; 0 where tensors were given.
};

// How far an exit's chain has been run.
struct ChainProgress {
  int boundary = 0;                // Of the exit's chain.
  std::vector<NamedTensor> live;   // The tensors at this boundary; none while pictures are files.
  std::vector<NamedTensor> early;  // The outputs that came out before it.
  std::int64_t run_us = 0;
};

// The outputs of an inference, and what making them took after the head.
struct Answer {
  std::vector<NamedTensor> outputs;     // In the model's order.
  Where where = Where::kDevice;         // Where the inference ran in the end.
  Plan plan;                            // The plan that gave the outputs.
  std::optional<double> accuracy;       // Of `plan`, as calibrated.
  std::optional<std::string> fallback;  // Why the edge, although asked, did not give them.
  std::optional<HedgeRecord> hedge;
  Timeline time;  // Only what followed the head; decide_us and head_us are 0.
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  // Whether the request to the edge still runs and tells OwnEstimates by itself how the decided
  // plan went.
  bool learned_later = false;
};

// The edge was asked in vain, and so was the hedge where there was one.
struct Unanswered {
  std::string fallback;  // Why.
  std::optional<HedgeRecord> hedge;
  Timeline time;                       // Only prepare_us and wasted_us.
  std::optional<PreparedInput> input;  // Where the hedge has decoded pictures.
};

using EdgeOutcome = std::variant<Answer, Unanswered>;

// What the device has run up to the plan's cut.
struct HeadRun {
  ChainProgress progress;
  std::int64_t prepare_us = 0;
  std::vector<NamedTensor> hedge_live;  // At HedgePlan::from; none while pictures are files.
  std::optional<double> confidence;     // Of the early exit that was looked at last.
  bool confident = false;               // That exit was sure enough, and `answer` is its own.
  std::optional<Answer> answer;         // Where nothing is left to do.
};

// What the device made of a hedge.
struct HedgeRun {
  absl::StatusOr<std::vector<NamedTensor>> outputs;
  std::optional<PreparedInput> input;  // Where it had to decode pictures.
  std::int64_t finished_us = 0;        // After the inference's start.
};

// What the wait for the edge is weighed against, from `now_us` on.
WaitTerms TermsOfWait(const InferenceRequest& request, const Decided& decided,
                      std::int64_t remote_timeout_us, std::int64_t now_us);

// The plan's outputs when its exit has been run to the end on the device: Internal when the run
// lacks one of them.
absl::StatusOr<Answer> AnswerOnDevice(const Decided& decided, const ChainProgress& progress);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_INFERENCE_H_
