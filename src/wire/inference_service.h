#ifndef CLEAVE_WIRE_INFERENCE_SERVICE_H_
#define CLEAVE_WIRE_INFERENCE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <string>

#include "open_inference_grpc.grpc.pb.h"
#include "wire/call_watcher.h"
#include "wire/server.h"

namespace cleave {

// The service inference.GRPCInferenceService. ModelInfer is served from the transport's own bytes,
// so that tensors are copied once when they arrive and not at all when they leave; hence it has no
// generated base.
class InferenceService final : public grpc::Service {
 public:
  // Both must outlive the service.
  InferenceService(EdgeHandler& handler, CallWatcher& watcher, std::string version);

 private:
  grpc::Status ServerMetadata(inference::ServerMetadataResponse& response) const;
  grpc::Status ModelReady(const inference::ModelReadyRequest& request,
                          inference::ModelReadyResponse& response);
  grpc::Status ModelMetadata(grpc::ServerContext& context,
                             const inference::ModelMetadataRequest& request,
                             inference::ModelMetadataResponse& response);
  grpc::Status ModelInfer(grpc::ServerContext& context, const grpc::ByteBuffer& request,
                          grpc::ByteBuffer& response);

  template <typename Request, typename Response, typename Function>
  void Add(const char* method, Function function);

  EdgeHandler& handler_;
  CallWatcher& watcher_;
  const std::string version_;
};

// The limits of the call; `token` is that of its watch.
CallContext MakeCallContext(const grpc::ServerContext& context, const CancelToken& token,
                            std::int64_t arrived_us);

}  // namespace cleave

#endif  // CLEAVE_WIRE_INFERENCE_SERVICE_H_
