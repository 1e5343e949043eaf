#ifndef CLEAVE_WIRE_INFERENCE_SERVICE_H_
#define CLEAVE_WIRE_INFERENCE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <string>

#include "open_inference_grpc.pb.h"
#include "wire/call_service.h"
#include "wire/server.h"

namespace cleave {

// The service inference.GRPCInferenceService. ModelInfer is served from the transport's own bytes,
// so that tensors are copied once when they arrive and not at all when they leave.
class InferenceService final : public CallService {
 public:
  InferenceService(const CallHost& host, const ServerOptions& options);

 private:
  inference::ServerMetadataResponse ServerMetadata() const;
  absl::StatusOr<inference::ModelMetadataResponse> ModelMetadata(
      const inference::ModelMetadataRequest& request);
  absl::Status ModelInfer(CallReactor& call, grpc::ByteBuffer& request, grpc::ByteBuffer& response);

  const std::string version_;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_INFERENCE_SERVICE_H_
