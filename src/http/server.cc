#include "http/server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/host_port.h"
#include "core/printable.h"
#include "core/status_macros.h"

namespace cleave::http {
namespace {

constexpr int kMostThreads = 256;
constexpr int kMostWaiting = 128;
constexpr int kPatienceS = 5;  // For the next bytes of a request, and the next request.

std::optional<std::string> Field(const httplib::Request& request, const char* name) {
  if (request.has_file(name)) return request.get_file_value(name).content;
  if (request.has_param(name)) return request.get_param_value(name);
  return std::nullopt;
}

void Send(const Response& from, httplib::Response& to) {
  to.status = from.status;
  to.set_content(from.body, from.type);
}

// A server whose connections may wait to be accepted; the library lets five of them.
class PatientServer : public httplib::Server {
 public:
  bool LetWait(int connections) { return ::listen(svr_sock_, connections) == 0; }
};

class ServerImpl final : public Server {
 public:
  ServerImpl(const ServerOptions& options, std::vector<Route> routes) {
    server_.new_task_queue = [threads = options.threads] {
      return new httplib::ThreadPool(static_cast<std::size_t>(threads));
    };
    server_.set_payload_max_length(options.max_request_bytes);
    server_.set_read_timeout(kPatienceS);
    server_.set_write_timeout(kPatienceS);
    server_.set_keep_alive_timeout(kPatienceS);
    server_.set_tcp_nodelay(true);
    for (Route& route : routes) Add(std::move(route));
    if (!options.on_error) return;
    server_.set_error_handler([on_error = options.on_error](const httplib::Request& request,
                                                            httplib::Response& response) {
      if (response.body.empty()) Send(on_error(request.path, response.status), response);
    });
  }

  ~ServerImpl() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen(const std::string& listen) {
    CLEAVE_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort("listen", listen));
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host);
    } else if (server_.bind_to_port(address.host, address.port)) {
      port_ = address.port;
    }
    if (port_ <= 0 || !server_.LetWait(kMostWaiting)) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", Printable(listen), " for HTTP"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // A server that is stopped before it runs would not stop.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  void Add(Route route) {
    const auto answer = [to = std::move(route.answer)](const httplib::Request& from,
                                                       httplib::Response& response) {
      Request request;
      request.path = from.path;
      for (std::size_t i = 1; i < from.matches.size(); ++i) {
        request.parts.push_back(from.matches[i].str());
      }
      request.field = [&from](const char* name) { return Field(from, name); };
      Send(to(request), response);
    };
    if (route.method == Route::Method::kGet) {
      server_.Get(route.pattern, answer);
    } else {
      server_.Post(route.pattern, answer);
    }
  }

  PatientServer server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace

absl::Status ServerOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(ParseHostPort("listen", listen).status());
  CLEAVE_RETURN_IF_ERROR(CheckRange("threads", threads, 1, kMostThreads));
  return CheckAtLeast("max_request_bytes", max_request_bytes, std::size_t{1});
}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      std::vector<Route> routes) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto server = std::make_unique<ServerImpl>(options, std::move(routes));
  CLEAVE_RETURN_IF_ERROR(server->Listen(options.listen));
  return server;
}

}  // namespace cleave::http
