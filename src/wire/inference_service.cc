#include "wire/inference_service.h"

#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/impl/service_type.h>
#include <grpcpp/support/method_handler.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "wire/payload.h"
#include "wire/status.h"

namespace cleave {
namespace {

bool KnownVersion(const std::string& version) {
  return version.empty() || version == kModelVersion;
}

absl::Status CheckVersion(const std::string& model, const std::string& version) {
  if (KnownVersion(version)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat("model '", model.substr(0, 256), "': found version '",
                                          version.substr(0, 64), "', expected '", kModelVersion,
                                          "' or none"));
}

}  // namespace

CallContext MakeCallContext(const grpc::ServerContext& context, const CancelToken& token,
                            std::int64_t arrived_us) {
  CallContext limits;
  limits.arrived_us = arrived_us;
  limits.cancel = token;
  const auto deadline = context.deadline();
  if (deadline != std::chrono::system_clock::time_point::max()) {
    const auto left = deadline - std::chrono::system_clock::now();
    limits.deadline_us = Clock::Steady().NowUs() +
                         std::chrono::duration_cast<std::chrono::microseconds>(left).count();
  }
  return limits;
}

template <typename Request, typename Response, typename Function>
void InferenceService::Add(const char* method, Function function) {
  AddMethod(new grpc::internal::RpcServiceMethod(
      method, grpc::internal::RpcMethod::NORMAL_RPC,
      new grpc::internal::RpcMethodHandler<InferenceService, Request, Response>(
          [function](InferenceService* self, grpc::ServerContext* context, const Request* request,
                     Response* response) { return function(*self, *context, *request, *response); },
          this)));
}

InferenceService::InferenceService(EdgeHandler& handler, CallWatcher& watcher, std::string version)
    : handler_(handler), watcher_(watcher), version_(std::move(version)) {
  using Self = InferenceService;
  using Context = grpc::ServerContext;
  Add<inference::ServerLiveRequest, inference::ServerLiveResponse>(
      "/inference.GRPCInferenceService/ServerLive",
      [](Self&, Context&, const auto&, auto& response) {
        response.set_live(true);
        return grpc::Status::OK;
      });
  Add<inference::ServerReadyRequest, inference::ServerReadyResponse>(
      "/inference.GRPCInferenceService/ServerReady",
      [](Self& self, Context&, const auto&, auto& response) {
        response.set_ready(self.handler_.Ready());
        return grpc::Status::OK;
      });
  Add<inference::ModelReadyRequest, inference::ModelReadyResponse>(
      "/inference.GRPCInferenceService/ModelReady",
      [](Self& self, Context&, const auto& request, auto& response) {
        return self.ModelReady(request, response);
      });
  Add<inference::ServerMetadataRequest, inference::ServerMetadataResponse>(
      "/inference.GRPCInferenceService/ServerMetadata",
      [](Self& self, Context&, const auto&, auto& response) {
        return self.ServerMetadata(response);
      });
  Add<inference::ModelMetadataRequest, inference::ModelMetadataResponse>(
      "/inference.GRPCInferenceService/ModelMetadata",
      [](Self& self, Context& context, const auto& request, auto& response) {
        return self.ModelMetadata(context, request, response);
      });
  Add<grpc::ByteBuffer, grpc::ByteBuffer>(
      "/inference.GRPCInferenceService/ModelInfer",
      [](Self& self, Context& context, const auto& request, auto& response) {
        return self.ModelInfer(context, request, response);
      });
}

grpc::Status InferenceService::ServerMetadata(inference::ServerMetadataResponse& response) const {
  response.set_name("cleave");
  response.set_version(version_);
  for (const char* extension :
       {"cleave_cut", "cleave_exit", "cleave_encoding", "cleave_codec", "cleave_detections"}) {
    response.add_extensions(extension);
  }
  return grpc::Status::OK;
}

grpc::Status InferenceService::ModelReady(const inference::ModelReadyRequest& request,
                                          inference::ModelReadyResponse& response) {
  response.set_ready(KnownVersion(request.version()) && handler_.ModelReady(request.name()));
  return grpc::Status::OK;
}

grpc::Status InferenceService::ModelMetadata(grpc::ServerContext& context,
                                             const inference::ModelMetadataRequest& request,
                                             inference::ModelMetadataResponse& response) {
  absl::Status status = CheckVersion(request.name(), request.version());
  if (!status.ok()) return ToGrpcStatus(status, context);
  const absl::StatusOr<ModelInfo> info = handler_.GetModel(request.name());
  if (info.ok()) response = ToMetadata(*info);
  return ToGrpcStatus(info.status(), context);
}

grpc::Status InferenceService::ModelInfer(grpc::ServerContext& context,
                                          const grpc::ByteBuffer& request,
                                          grpc::ByteBuffer& response) {
  const std::int64_t arrived_us = Clock::Steady().NowUs();
  const auto infer = [&]() -> absl::Status {
    grpc::ByteBuffer bytes = request;
    CLEAVE_ASSIGN_OR_RETURN(const DecodedCall decoded, DecodeRequest(bytes));
    bytes.Clear();
    CLEAVE_RETURN_IF_ERROR(CheckVersion(decoded.call.model, decoded.call.version));
    const CallWatcher::Watch watch(watcher_, context);
    CLEAVE_ASSIGN_OR_RETURN(
        InferReply reply,
        handler_.Infer(decoded.call, MakeCallContext(context, watch.token(), arrived_us)));
    if (reply.version.empty()) reply.version = std::string(kModelVersion);
    reply.edge_us = Clock::Steady().NowUs() - arrived_us;
    response = EncodeResponse(reply, decoded.form);
    return absl::OkStatus();
  };
  return ToGrpcStatus(infer(), context);
}

}  // namespace cleave
