#ifndef CLEAVE_DEVICE_REMOTE_CALLER_H_
#define CLEAVE_DEVICE_REMOTE_CALLER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "cleave/device.h"
#include "core/clock.h"
#include "device/edge_link.h"
#include "device/inference.h"
#include "device/local_model.h"
#include "device/own_estimates.h"
#include "device/shape_costs.h"

namespace cleave {

// The time of a tail as the edge's profile, or the device's own in its place, gives it.
struct TailEstimate {
  enum class Basis { kMeasured, kCorrected, kGuessed };
  // Whether these shapes were measured, corrected by answers, or neither.
  Basis basis = Basis::kMeasured;
  double factor = 1;  // The correction, which PlanCost::tail_us includes.
};

// The part of an inference that an edge is to do, with all that its answer is checked and learned
// by: it may outlive the inference.
struct RemoteRequest {
  InferCall call;
  PlanCost cost;
  const LocalExit* exit = nullptr;
  InputShapes shapes;
  // What is predicted for the tail, of an edge that is not slowed down, before runs correct it.
  TailEstimate tail;
  std::vector<NamedTensor> early;
  Observation observation;
  std::int64_t begun_us = 0;  // When making the call began,
  std::int64_t made_us = 0;   // and what it took.
};

// What became of a request.
struct RemoteAnswer {
  absl::Status status;               // With OK, `outputs` are complete and of the right shapes.
  std::vector<NamedTensor> outputs;  // In the model's order, or the detections.
  AnswerForm form = AnswerForm::kOutputs;
  InferExchange done;
  std::int64_t took_us = 0;  // Counted from RemoteRequest::begun_us.
};

// Has the edge do its part of an inference, and learns from what comes back or does not. It keeps
// nothing of an inference. Thread-safe.
class RemoteCaller {
 public:
  // The others must outlive it. `edge_model` is the model's name at the edge.
  RemoteCaller(const LocalModel& model, std::string edge_model, EdgeLink& link, OwnEstimates& own,
               ShapeBook& book, const Clock& clock)
      : model_(model),
        edge_model_(std::move(edge_model)),
        link_(link),
        own_(own),
        book_(book),
        clock_(clock) {}

  // The request of an inference whose head has run; an error when it cannot be encoded.
  absl::StatusOr<RemoteRequest> Make(const InferenceRequest& request, const Decided& decided,
                                     const HeadRun& head) const;

  // Sends the request and waits for the answer, at most this long. What the answer or its absence
  // tells of link and edge is learned before this returns. Nothing is learned of a cancelled call.
  // `made` is called once the device's processor has nothing more to do with the request until
  // there is an answer, unless the request cannot be made.
  RemoteAnswer Ask(const RemoteRequest& request, std::int64_t timeout_us,
                   const CancelToken& cancel = {}, const std::function<void()>& made = {}) const;

 private:
  absl::StatusOr<InferCall> CallOf(const InferenceRequest& request, const Decided& decided,
                                   const HeadRun& head) const;
  void LearnTail(const RemoteRequest& request, const InferExchange& done) const;
  void LearnEncoding(const RemoteRequest& request, std::int64_t took_us) const;
  void LearnFailure(const RemoteRequest& request, const RemoteAnswer& answer) const;

  const LocalModel& model_;
  const std::string edge_model_;
  EdgeLink& link_;
  OwnEstimates& own_;
  ShapeBook& book_;
  const Clock& clock_;
};

// Makes the answer the outcome of the inference's request.
EdgeOutcome OutcomeOf(const Decided& decided, const RemoteRequest& request, RemoteAnswer answer);

// Why there is no answer, for the record: the edge failed, or the request was not even sent.
std::string FallbackText(const RemoteAnswer& answer);
// The same where the request could not be encoded, which is nobody's fault at the edge.
std::string NotSentText(const absl::Status& status);

}  // namespace cleave

#endif  // CLEAVE_DEVICE_REMOTE_CALLER_H_
