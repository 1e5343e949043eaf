#include "wire/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <chrono>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "wire/call_watcher.h"
#include "wire/channel.h"
#include "wire/edge_service.h"
#include "wire/inference_service.h"

namespace cleave {
namespace {

class WireServerImpl final : public WireServer {
 public:
  WireServerImpl(const ServerOptions& options, EdgeHandler& handler)
      : inference_(handler, watcher_, options.version), edge_(handler, watcher_) {}
  ~WireServerImpl() override { Shutdown(0); }

  absl::Status Listen(const ServerOptions& options) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    ConfigureServer(builder, options.max_message_bytes);
    builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&inference_);
    builder.RegisterService(&edge_);
    server_ = builder.BuildAndStart();
    if (!server_ || port_ == 0) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", options.listen,
                       ": the port is in use, or the address is not one of this machine's"));
    }
    SetHealth(Health::kServing);
    return absl::OkStatus();
  }

  int port() const override { return port_; }

  void SetHealth(Health health) override {
    const bool serving = health == Health::kServing;
    grpc::HealthCheckServiceInterface* service = server_->GetHealthCheckService();
    service->SetServingStatus(serving);
    service->SetServingStatus("inference.GRPCInferenceService", serving);
    service->SetServingStatus("cleave.v1.Edge", serving);
  }

  void Shutdown(std::int64_t grace_us) override {
    if (!server_) return;
    SetHealth(Health::kNotServing);
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::microseconds(grace_us));
  }

 private:
  int port_ = 0;
  CallWatcher watcher_;
  InferenceService inference_;
  EdgeService edge_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace

absl::Status ServerOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAddress("listen", listen));
  if (max_message_bytes < 1024 || max_message_bytes > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("largest message: found ", max_message_bytes,
                                                   " bytes, expected 1 KiB to 2 GiB - 1"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<WireServer>> WireServer::Start(const ServerOptions& options,
                                                              EdgeHandler& handler) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto server = std::make_unique<WireServerImpl>(options, handler);
  CLEAVE_RETURN_IF_ERROR(server->Listen(options));
  return server;
}

}  // namespace cleave
