#include "metrics/monitor_server.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "http/server.h"

namespace cleave::metrics {
namespace {

constexpr char kTextFormat[] = "text/plain; version=0.0.4; charset=utf-8";
constexpr int kThreads = 4;
constexpr int kUnavailable = 503;

class MonitorServerImpl final : public MonitorServer {
 public:
  explicit MonitorServerImpl(MonitorOptions options) : options_(std::move(options)) {}

  absl::Status Listen() {
    http::ServerOptions options;
    options.listen = options_.listen;
    options.threads = kThreads;
    options.on_error = [](const std::string& path, int status) {
      return http::Response{
          .status = status,
          .body = absl::StrCat(Printable(path), ": expected /metrics, /healthz or /readyz\n")};
    };
    const auto metrics = [this](const http::Request&) {
      return http::Response{.type = kTextFormat, .body = options_.metrics()};
    };
    const auto healthy = [](const http::Request&) { return http::Response{.body = "ok\n"}; };
    const auto ready = [this](const http::Request&) { return Ready(); };
    CLEAVE_ASSIGN_OR_RETURN(
        server_, http::Server::Start(options, {{.pattern = "/metrics", .answer = metrics},
                                               {.pattern = "/healthz", .answer = healthy},
                                               {.pattern = "/readyz", .answer = ready}}));
    return absl::OkStatus();
  }

  int port() const override { return server_->port(); }

 private:
  http::Response Ready() const {
    const absl::Status status = options_.ready();
    if (status.ok()) return {.body = "ready\n"};
    return {.status = kUnavailable, .body = absl::StrCat(Printable(status.message()), "\n")};
  }

  const MonitorOptions options_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace

std::string UrlOf(const std::string& listen, int port) {
  return absl::StrCat("http://", listen.substr(0, listen.rfind(':')), ":", port, "/metrics");
}

absl::StatusOr<std::unique_ptr<MonitorServer>> MonitorServer::Start(MonitorOptions options) {
  auto server = std::make_unique<MonitorServerImpl>(std::move(options));
  CLEAVE_RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace cleave::metrics
