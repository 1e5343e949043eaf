#include "device/remote_caller.h"

#include <optional>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "core/status_macros.h"
#include "device/detections.h"
#include "device/exchange_timeline.h"
#include "device/plan_table.h"
#include "device/reply_check.h"
#include "policy/predict.h"

namespace cleave {
namespace {

double BytesOf(const std::vector<NamedTensor>& tensors) {
  double bytes = 0;
  for (const NamedTensor& named : tensors) bytes += static_cast<double>(named.tensor.size_bytes());
  return bytes;
}

struct TravellingPictures {
  std::vector<std::string> files;
  std::optional<Preprocessing> preprocessing;
};

absl::StatusOr<TravellingPictures> EncodePictures(std::span<const std::string> files,
                                                  const Preprocessing& how, Encoding encoding) {
  TravellingPictures pictures;
  for (const std::string& file : files) {
    const std::string origin = absl::StrCat("picture ", pictures.files.size());
    CLEAVE_ASSIGN_OR_RETURN(TravellingPicture picture, EncodePicture(file, how, encoding, origin));
    pictures.files.push_back(std::move(picture.file));
    pictures.preprocessing = picture.how;
  }
  return pictures;
}

// A stand-in for a profile that the edge has not given yet counts like the profile.
TailEstimate EstimateOf(const Decided& decided, const InputShapes& shapes) {
  const Profile* profile = &decided.exit->profile;
  if (decided.offer != nullptr && !decided.offer->exits.empty()) {
    const auto& exit = decided.offer->exits[static_cast<std::size_t>(decided.cost.plan.exit)];
    if (exit.profile != nullptr) profile = exit.profile.get();
  }
  if (profile->Has(shapes)) return {};
  const ShapeCosts* costs = decided.shape_costs.get();
  if (costs == nullptr || !costs->edge_factor) return {TailEstimate::Basis::kGuessed};
  return {TailEstimate::Basis::kCorrected, *costs->edge_factor};
}

}  // namespace

absl::StatusOr<RemoteRequest> RemoteCaller::Make(const InferenceRequest& request,
                                                 const Decided& decided,
                                                 const HeadRun& head) const {
  RemoteRequest remote;
  remote.begun_us = clock_.NowUs();
  remote.cost = decided.cost;
  remote.exit = decided.exit;
  remote.shapes = request.shapes;
  remote.tail = EstimateOf(decided, request.shapes);
  remote.early = head.progress.early;
  remote.observation = decided.observation;
  CLEAVE_ASSIGN_OR_RETURN(remote.call, CallOf(request, decided, head));
  remote.made_us = clock_.NowUs() - remote.begun_us;
  return remote;
}

absl::StatusOr<InferCall> RemoteCaller::CallOf(const InferenceRequest& request,
                                               const Decided& decided, const HeadRun& head) const {
  InferCall call;
  call.model = edge_model_;
  call.id = absl::StrCat(request.id);
  call.inputs = head.progress.live;
  const bool has_exits = !model_.graph->exits().empty();
  if (decided.plain_edge()) {
    if (has_exits) call.outputs = {decided.exit->outputs().front().name};
    return call;
  }
  const Plan& plan = decided.cost.plan;
  call.cut = plan.cut;
  if (has_exits) call.exit = plan.exit;
  call.digest = model_.graph->digest();
  call.detections = QueryAt(model_, *decided.exit, plan.cut, request.shapes);
  if (IsPicture(plan.encoding)) {
    call.inputs.clear();
    CLEAVE_ASSIGN_OR_RETURN(TravellingPictures pictures,
                            EncodePictures(request.pictures, *model_.pictures, plan.encoding));
    call.images = std::move(pictures.files);
    call.preprocessing = pictures.preprocessing;
  } else if (plan.encoding != Encoding::kFp32 || decided.entropy) {
    call.encode = EncodeOptionsFor(plan.encoding, request.batch);
    call.encode->entropy = decided.entropy;
    if (CodecRate(plan.encoding)) call.codecs = model_.codecs;
  }
  return call;
}

RemoteAnswer RemoteCaller::Ask(const RemoteRequest& request, std::int64_t timeout_us,
                               const CancelToken& cancel, const std::function<void()>& made) const {
  RemoteAnswer answer;
  std::optional<double> profile_tail_us;
  if (request.tail.basis != TailEstimate::Basis::kGuessed) profile_tail_us = request.cost.tail_us;
  absl::StatusOr<InferExchange> done =
      link_.Infer(request.call, {timeout_us, cancel, profile_tail_us, made});
  answer.status = done.status();
  if (done.ok()) {
    const std::vector<NamedTensor>& remote = done->reply.outputs;
    if (request.call.detections && HoldsDetections(*request.exit, remote)) {
      answer.form = AnswerForm::kDetections;
    }
    absl::StatusOr<std::vector<NamedTensor>> outputs =
        answer.form == AnswerForm::kDetections
            ? CheckedDetections(remote, BatchOf(*model_.graph, request.shapes))
            : AssembleOutputs(*request.exit, request.shapes, request.early, remote);
    answer.status = outputs.ok() ? own_.finite().Check(*outputs) : outputs.status();
    if (outputs.ok()) answer.outputs = *std::move(outputs);
    answer.done = *std::move(done);
  }
  answer.took_us = clock_.NowUs() - request.begun_us;
  if (answer.status.ok()) {
    link_.ReportSuccess(answer.done, profile_tail_us);
    LearnTail(request, answer.done);
    LearnEncoding(request, request.made_us + answer.done.exchange.serialize_us);
  } else if (!cancel.cancelled() && !WasNotSent(answer.status)) {
    LearnFailure(request, answer);
  }
  return answer;
}

void RemoteCaller::LearnFailure(const RemoteRequest& request, const RemoteAnswer& answer) const {
  const Prediction prediction = Predict(request.cost, request.observation);
  link_.ReportFailure(answer.status, {request.cost.bytes_up, request.cost.bytes_down,
                                      prediction.uplink_us + prediction.downlink_us,
                                      prediction.queue_us + prediction.tail_us, answer.took_us});
}

// At shapes that the profile has not measured, what the edge took corrects the profile's guess.
void RemoteCaller::LearnTail(const RemoteRequest& request, const InferExchange& done) const {
  if (request.tail.basis == TailEstimate::Basis::kMeasured || done.reply.compute_us <= 0) return;
  const double expected_us =
      request.cost.tail_us / request.tail.factor * request.observation.edge_slowdown.mean;
  if (expected_us <= 0) return;
  const auto took_us = static_cast<double>(done.reply.decode_us + done.reply.compute_us);
  book_.AddTail(request.shapes, took_us / expected_us);
}

void RemoteCaller::LearnEncoding(const RemoteRequest& request, std::int64_t took_us) const {
  const CutInfo& cut =
      request.exit->model.table.cuts[static_cast<std::size_t>(request.cost.plan.cut)];
  const double scale = static_cast<double>(InputElements(request.shapes)) /
                       static_cast<double>(InputElements(model_.shapes()));
  const double raw_bytes = request.call.inputs.empty() ? scale * static_cast<double>(cut.bytes)
                                                       : BytesOf(request.call.inputs);
  own_.LearnEncoding(request.cost.plan.encoding, raw_bytes, static_cast<double>(took_us));
}

EdgeOutcome OutcomeOf(const Decided& decided, const RemoteRequest& request, RemoteAnswer answer) {
  if (!answer.status.ok()) {
    Unanswered unanswered;
    unanswered.fallback = FallbackText(answer);
    if (!WasNotSent(answer.status)) unanswered.time.wasted_us = answer.took_us;
    return unanswered;
  }
  Answer given;
  given.outputs = std::move(answer.outputs);
  given.form = answer.form;
  given.where = decided.where;
  given.plan = decided.plan;
  given.accuracy = decided.cost.accuracy;
  given.time =
      ExchangeTimeline(answer.done, request.made_us, answer.took_us, request.observation.link);
  given.unfamiliar = answer.done.unfamiliar;
  given.bytes_up = answer.done.exchange.bytes_up;
  given.bytes_down = answer.done.exchange.bytes_down;
  return given;
}

std::string FallbackText(const RemoteAnswer& answer) {
  return WasNotSent(answer.status) ? NotSentText(answer.status)
                                   : FailureText(answer.status, answer.took_us);
}

std::string NotSentText(const absl::Status& status) {
  return absl::StrCat("not sent: ", status.message());
}

}  // namespace cleave
