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
#include "cleave/cancel.h"
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
  std::int64_t start_us = 0;  // When it was asked for, by the device's clock.
  std::int64_t wait_us = 0;   // Others had the processor for so long before it was decided.
  std::int64_t batch = 1;
  InputShapes shapes;                       // Of the model's inputs, in its order.
  std::optional<std::int64_t> deadline_us;  // Counted from start_us.
  std::vector<NamedTensor> tensors;         // The model's inputs; empty where `pictures` are given.
  // The files of a batch of pictures, which the caller keeps until the inference has ended.
  std::span<const std::string> pictures;
  CancelToken cancel;  // Ends the inference with Cancelled.

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
  Plan plan;  // The policy chose this one.
  // The plan that is run: `plan`, or its exit on the device where the edge would be too late.
  PlanCost cost;
  Where where = Where::kDevice;     // Where the inference is meant to run.
  const LocalExit* exit = nullptr;  // That of `cost`; the LocalModel owns it.
  bool entropy = false;             // Whether the frames are entropy coded.
  bool user_chose_plan = false;     // The policy is `edge` or `fixed:...`.
  std::shared_ptr<const EdgeOffer> offer;
  std::shared_ptr<const ShapeCosts> shape_costs;  // May be null.
  std::optional<HedgePlan> hedge;                 // There may be one where the edge is asked.
  std::string reason;                             // Why the policy chose the plan.
  std::optional<std::string> fallback;  // Why the edge is not asked, although a policy may ask it.
  double predicted_us = 0;
  std::optional<double> miss_chance;  // Of `plan`, where there is a deadline.
  Observation observation;
  double link_up_bps = 0;  // The estimate of the uplink; 0 without an edge.
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
  int boundary = 0;                // The boundary of the exit's chain that was reached.
  std::vector<NamedTensor> live;   // The tensors at this boundary; none while pictures are files.
  std::vector<NamedTensor> early;  // The outputs that came out before it.
  std::int64_t run_us = 0;
};

// The outputs of an inference, and what making them took after the head.
struct Answer {
  std::vector<NamedTensor> outputs;  // In the model's order, or the detections.
  AnswerForm form = AnswerForm::kOutputs;
  Where where = Where::kDevice;         // Where the inference ran in the end.
  Plan plan;                            // The plan that gave the outputs.
  std::optional<double> accuracy;       // The calibrated accuracy of `plan`.
  std::optional<std::string> fallback;  // Why the edge, although asked, did not give them.
  std::optional<HedgeRecord> hedge;
  std::optional<VerificationRecord> verification;
  Timeline time;            // What followed the head; decide_us and head_us are 0.
  bool unfamiliar = false;  // Whether a tensor that was sent is (InferExchange).
  std::int64_t bytes_up = 0;
  std::int64_t bytes_down = 0;
  // Whether the request to the edge still runs and tells OwnEstimates by itself how the decided
  // plan went.
  bool learned_later = false;
};

// The edge was asked in vain, or its answer was found to be wrong, and so was the hedge where there
// was one.
struct Unanswered {
  std::string fallback;  // Why the edge gave no answer.
  std::optional<HedgeRecord> hedge;
  std::optional<VerificationRecord> verification;
  Timeline time;                       // Only prepare_us and wasted_us are set.
  std::optional<PreparedInput> input;  // The pictures, where the hedge has decoded them.
};

using EdgeOutcome = std::variant<Answer, Unanswered>;

// What the device has run up to the plan's cut.
struct HeadRun {
  ChainProgress progress;
  std::int64_t prepare_us = 0;
  std::vector<NamedTensor> hedge_live;  // At HedgePlan::from; none while pictures are files.
  std::optional<double> confidence;     // That of the early exit that was looked at last.
  bool confident = false;               // That exit was sure enough, and `answer` is its own.
  std::optional<FilterRecord> filter;   // What the filter said; nothing without one.
  // Where the filter's cut lies behind the plan's: what was run up to there, from which the device
  // goes on if the edge does not answer.
  std::optional<ChainProgress> deeper;
  std::optional<Answer> answer;  // It is there where nothing is left to do.

  // Whether the filter ended the inference, with an answer without outputs.
  bool filtered() const { return filter && filter->outcome == FilterRecord::Outcome::kFiltered; }
};

// What the device made of a hedge.
struct HedgeRun {
  absl::StatusOr<std::vector<NamedTensor>> outputs;
  std::optional<PreparedInput> input;  // The pictures, where it had to decode them.
  std::int64_t finished_us = 0;        // Counted from the inference's start.
};

// The terms by which the wait for the edge is limited from `now_us` on.
WaitTerms TermsOfWait(const InferenceRequest& request, const Decided& decided,
                      std::int64_t remote_timeout_us, std::int64_t now_us);

// The answer of a plan whose exit was run to the end on the device. Internal when an output is
// missing.
absl::StatusOr<Answer> AnswerOnDevice(const Decided& decided, const ChainProgress& progress);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_INFERENCE_H_
