#include "device/remote_caller.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "codec/picture.h"
#include "core/status_macros.h"
#include "device/account.h"
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

}  // namespace

absl::StatusOr<RemoteRequest> RemoteCaller::Make(const Pass& pass, std::int64_t id) const {
  RemoteRequest request;
  request.begun_us = clock_.NowUs();
  request.cost = pass.cost;
  request.exit = pass.exit;
  request.batch = pass.batch;
  request.early = pass.early;
  request.observation = pass.observation;
  CLEAVE_ASSIGN_OR_RETURN(request.call, CallOf(pass, id));
  request.made_us = clock_.NowUs() - request.begun_us;
  return request;
}

absl::StatusOr<InferCall> RemoteCaller::CallOf(const Pass& pass, std::int64_t id) const {
  InferCall call;
  call.model = edge_model_;
  call.id = absl::StrCat(id);
  call.inputs = pass.live;
  const bool has_exits = !model_.graph->exits().empty();
  if (pass.plain_edge()) {
    if (has_exits) call.outputs = {pass.exit->outputs().front().name};
    return call;
  }
  const Plan& plan = pass.cost.plan;
  call.cut = plan.cut;
  if (has_exits) call.exit = plan.exit;
  call.digest = model_.graph->digest();
  if (IsPicture(plan.encoding)) {
    CLEAVE_RETURN_IF_ERROR(AddPictures(pass, call));
  } else if (plan.encoding != Encoding::kFp32 || pass.entropy) {
    call.encode = EncodeOptionsFor(plan.encoding, pass.batch);
    call.encode->entropy = pass.entropy;
  }
  return call;
}

absl::Status RemoteCaller::AddPictures(const Pass& pass, InferCall& call) const {
  call.inputs.clear();
  for (const std::string& file : *pass.pictures) {
    const std::string origin = absl::StrCat("picture ", call.images.size());
    CLEAVE_ASSIGN_OR_RETURN(TravellingPicture picture,
                            EncodePicture(file, *model_.pictures, pass.cost.plan.encoding, origin));
    call.images.push_back(std::move(picture.file));
    call.preprocessing = picture.how;
  }
  return absl::OkStatus();
}

RemoteAnswer RemoteCaller::Ask(const RemoteRequest& request, std::int64_t timeout_us,
                               const CancelToken& cancel) const {
  RemoteAnswer answer;
  absl::StatusOr<InferExchange> done = link_.Infer(request.call, timeout_us, cancel);
  answer.status = done.status();
  if (done.ok()) {
    absl::StatusOr<std::vector<NamedTensor>> outputs =
        AssembleOutputs(request.exit->outputs(), request.exit->model.table, request.batch,
                        request.early, done->reply.outputs);
    answer.status = outputs.status();
    if (outputs.ok()) answer.outputs = *std::move(outputs);
    answer.done = *std::move(done);
  }
  answer.took_us = clock_.NowUs() - request.begun_us;
  if (answer.status.ok()) {
    link_.ReportSuccess(answer.done, request.cost.tail_us);
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

void RemoteCaller::LearnEncoding(const RemoteRequest& request, std::int64_t took_us) const {
  const CutInfo& cut =
      request.exit->model.table.cuts[static_cast<std::size_t>(request.cost.plan.cut)];
  const double scale = static_cast<double>(request.batch) / static_cast<double>(model_.batch());
  const double raw_bytes = request.call.inputs.empty() ? scale * static_cast<double>(cut.bytes)
                                                       : BytesOf(request.call.inputs);
  own_.LearnEncoding(request.cost.plan.encoding, raw_bytes, static_cast<double>(took_us));
}

bool EnterNotSent(const absl::Status& status, InferenceRecord& record) {
  record.fallback = absl::StrCat("not sent: ", status.message());
  return false;
}

bool EnterAnswer(const RemoteRequest& request, RemoteAnswer answer, InferenceRecord& record) {
  if (answer.status.ok()) {
    record.outputs = std::move(answer.outputs);
    AccountExchange(answer.done, request.made_us, answer.took_us, request.observation.link, record);
    return true;
  }
  if (WasNotSent(answer.status)) return EnterNotSent(answer.status, record);
  record.timeline.wasted_us = answer.took_us;
  record.fallback = FailureText(answer.status, answer.took_us);
  return false;
}

}  // namespace cleave
