#include "wire/inference_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "wire/convert.h"
#include "wire/payload.h"
#include "wire/request_head.h"

namespace cleave {
InferenceService::InferenceService(const CallHost& host, const ServerOptions& options)
    : CallService(host), version_(options.version) {
  // Who asks for health and the version needs no credentials.
  constexpr Method kForAll = {.needed = Permission::kNone};
  Add<inference::ServerLiveRequest, inference::ServerLiveResponse>(
      "/inference.GRPCInferenceService/ServerLive", kForAll, [](CallReactor&, const auto&) {
        inference::ServerLiveResponse response;
        response.set_live(true);
        return response;
      });
  Add<inference::ServerReadyRequest, inference::ServerReadyResponse>(
      "/inference.GRPCInferenceService/ServerReady", kForAll, [this](CallReactor&, const auto&) {
        inference::ServerReadyResponse response;
        response.set_ready(handler().Ready());
        return response;
      });
  Add<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      "/inference.GRPCInferenceService/ModelReady", {}, [this](CallReactor&, const auto& request) {
        inference::ModelReadyResponse response;
        response.set_ready(CheckModelVersion(request.name(), request.version()).ok() &&
                           handler().ModelReady(request.name()));
        return response;
      });
  Add<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
      "/inference.GRPCInferenceService/ServerMetadata", kForAll,
      [this](CallReactor&, const auto&) { return ServerMetadata(); });
  Add<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      "/inference.GRPCInferenceService/ModelMetadata", {},
      [this](CallReactor&, const auto& request) { return ModelMetadata(request); });
  AddUnary("/inference.GRPCInferenceService/ModelInfer",
           {.place = Place::kInferThreads,
            .max_bytes = options.max_message_bytes,
            .needed = Permission::kInfer},
           [this](CallReactor& call, grpc::ByteBuffer& request, grpc::ByteBuffer& response) {
             return ModelInfer(call, request, response);
           });
}

inference::ServerMetadataResponse InferenceService::ServerMetadata() const {
  inference::ServerMetadataResponse response;
  response.set_name("cleave");
  response.set_version(version_);
  for (const char* extension :
       {"cleave_cut", "cleave_exit", "cleave_encoding", "cleave_codec", "cleave_detections",
        "model_configuration", "model_repository", "statistics"}) {
    response.add_extensions(extension);
  }
  return response;
}

absl::StatusOr<inference::ModelMetadataResponse> InferenceService::ModelMetadata(
    const inference::ModelMetadataRequest& request) {
  CLEAVE_RETURN_IF_ERROR(CheckModelVersion(request.name(), request.version()));
  CLEAVE_ASSIGN_OR_RETURN(const ModelInfo info, handler().GetModel(request.name()));
  return ToMetadata(info);
}

absl::Status InferenceService::ModelInfer(CallReactor& call, grpc::ByteBuffer& request,
                                          grpc::ByteBuffer& response) {
  const CallContext context = call.Context();
  CLEAVE_ASSIGN_OR_RETURN(const RequestHead told, ReadRequestHead(request));
  CLEAVE_RETURN_IF_ERROR(CheckModelVersion(told.head.model, told.head.version));
  CLEAVE_RETURN_IF_ERROR(handler().CheckHead(told.head, context));
  CLEAVE_RETURN_IF_ERROR(call.share().TakeBytes(told.parsed_bytes));
  CLEAVE_ASSIGN_OR_RETURN(const DecodedCall decoded, DecodeRequest(request));
  request.Clear();
  CLEAVE_ASSIGN_OR_RETURN(InferReply reply, handler().Infer(decoded.call, context));
  if (reply.version.empty()) reply.version = std::string(kModelVersion);
  reply.edge_us = Clock::Steady().NowUs() - context.arrived_us;
  response = EncodeResponse(reply, decoded.form);
  return absl::OkStatus();
}

}  // namespace cleave
