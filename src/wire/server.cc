#include "wire/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/host_port.h"
#include "core/status_macros.h"
#include "wire/call_budget.h"
#include "wire/call_threads.h"
#include "wire/call_watcher.h"
#include "wire/channel.h"
#include "wire/credentials.h"
#include "wire/edge_service.h"
#include "wire/inference_service.h"
#include "wire/repository_service.h"

namespace cleave {
namespace {

// So many of the largest messages may be in flight, unless the options say otherwise.
constexpr std::int64_t kMessagesInFlight = 8;
constexpr int kSlowThreads = 8;

class WireServerImpl final : public WireServer {
 public:
  WireServerImpl(const ServerOptions& options, EdgeHandler& handler)
      : budget_(CallBudget::Options::Of({options.max_calls, CallBytesOf(options)})),
        infer_threads_(options.infer_threads),
        inference_(Host(options, handler), options),
        repository_(Host(options, handler)),
        edge_(Host(options, handler)) {}
  ~WireServerImpl() override { Shutdown(0); }

  absl::Status Listen(const ServerOptions& options) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    ConfigureServer(builder, {.max_message_bytes = options.max_message_bytes,
                              .memory_bytes = 2 * CallBytesOf(options),
                              .streams_of_connection = std::max(1, options.max_calls / 4),
                              .idle_timeout_us = options.idle_timeout_us});
    CLEAVE_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                            MakeServerCredentials(options.tls));
    builder.AddListeningPort(options.listen, credentials, &port_);
    builder.RegisterService(&inference_);
    builder.RegisterService(&repository_);
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

  CallsInFlight in_flight() const override {
    const CallLimits held = budget_.InFlight();
    return {held.calls, held.bytes};
  }

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
  static std::int64_t CallBytesOf(const ServerOptions& options) {
    return options.max_call_bytes > 0 ? options.max_call_bytes
                                      : kMessagesInFlight * options.max_message_bytes;
  }
  CallHost Host(const ServerOptions& options, EdgeHandler& handler) {
    return {handler,
            budget_,
            watcher_,
            infer_threads_,
            slow_threads_,
            options.message_timeout_us,
            options.call_timeout_us};
  }

  int port_ = 0;
  CallBudget budget_;
  CallWatcher watcher_;
  CallThreads infer_threads_;
  CallThreads slow_threads_{kSlowThreads};
  InferenceService inference_;
  RepositoryService repository_;
  EdgeService edge_;
  std::unique_ptr<grpc::Server> server_;
};

absl::Status CheckPrivacy(const ServerOptions& options) {
  CLEAVE_RETURN_IF_ERROR(CheckTlsFiles(options.tls));
  if (options.tls.certificate.empty() && !options.tls.ca.empty()) {
    return FieldError("tls_client_ca", "no tls_cert", "a certificate of the server as well");
  }
  CLEAVE_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort("listen", options.listen));
  if (!options.tls.certificate.empty() || options.insecure || IsLoopback(address.host)) {
    return absl::OkStatus();
  }
  return FieldError("listen", absl::StrCat("'", options.listen, "' without TLS"),
                    "a loopback address, a certificate (--tls-cert, --tls-key), or --insecure");
}

}  // namespace

absl::Status ServerOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(CheckAddress("listen", listen));
  CLEAVE_RETURN_IF_ERROR(CheckPrivacy(*this));
  if (max_message_bytes < 1024 || max_message_bytes > std::numeric_limits<int>::max()) {
    return absl::InvalidArgumentError(absl::StrCat("largest message: found ", max_message_bytes,
                                                   " bytes, expected 1 KiB to 2 GiB - 1"));
  }
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("max_calls", max_calls, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("infer_threads", infer_threads, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("message_timeout", message_timeout_us, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("call_timeout", call_timeout_us, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast<std::int64_t>("idle_timeout", idle_timeout_us, 1));
  if (max_call_bytes != 0) {
    // A message of the largest size, and what becomes of it, is a connection's quarter.
    CLEAVE_RETURN_IF_ERROR(
        CheckAtLeast("max_call_bytes", max_call_bytes, kMessagesInFlight * max_message_bytes));
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
