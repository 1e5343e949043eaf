#ifndef CLEAVE_WIRE_EDGE_SERVICE_H_
#define CLEAVE_WIRE_EDGE_SERVICE_H_

#include <grpcpp/grpcpp.h>

#include <atomic>

#include "absl/status/status.h"
#include "cleave_edge.grpc.pb.h"
#include "wire/call_watcher.h"
#include "wire/server.h"

namespace cleave {

// The service cleave.v1.Edge (proto/cleave_edge.proto). Thread-safe.
class EdgeService final : public v1::Edge::Service {
 public:
  // Both must outlive the service.
  EdgeService(EdgeHandler& handler, CallWatcher& watcher) : handler_(handler), watcher_(watcher) {}

  grpc::Status Status(grpc::ServerContext* context, const v1::StatusRequest* request,
                      v1::StatusResponse* response) override;
  grpc::Status Probe(grpc::ServerContext* context, const v1::ProbeRequest* request,
                     v1::ProbeResponse* response) override;
  grpc::Status GetProfile(grpc::ServerContext* context, const v1::GetProfileRequest* request,
                          v1::GetProfileResponse* response) override;
  grpc::Status Push(grpc::ServerContext* context, grpc::ServerReader<v1::PushRequest>* reader,
                    v1::PushResponse* response) override;

 private:
  absl::Status TakeFile(grpc::ServerContext& context, grpc::ServerReader<v1::PushRequest>& reader,
                        v1::PushResponse& response);

  EdgeHandler& handler_;
  CallWatcher& watcher_;
  std::atomic<bool> pushing_ = false;
};

}  // namespace cleave

#endif  // CLEAVE_WIRE_EDGE_SERVICE_H_
