#include "recorder/http_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/host_port.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "recorder/vision_api.h"

namespace cleave::recorder {
namespace {

constexpr int kMostThreads = 256;
constexpr int kMostWaiting = 128;
constexpr int kPatienceS = 5;  // For the next bytes of a request, and the next request.
constexpr char kJson[] = "application/json";

std::optional<std::string> Field(const httplib::Request& request, const char* name) {
  if (request.has_file(name)) return request.get_file_value(name).content;
  if (request.has_param(name)) return request.get_param_value(name);
  return std::nullopt;
}

// A server whose connections may wait to be accepted; the library lets five of them.
class PatientServer : public httplib::Server {
 public:
  bool LetWait(int connections) { return ::listen(svr_sock_, connections) == 0; }
};

class Server final : public HttpServer {
 public:
  Server(const HttpServerOptions& options, PictureFinder& finder)
      : options_(options), finder_(finder) {
    server_.new_task_queue = [threads = options.threads] {
      return new httplib::ThreadPool(static_cast<std::size_t>(threads));
    };
    server_.set_payload_max_length(options.max_request_bytes);
    server_.set_read_timeout(kPatienceS);
    server_.set_write_timeout(kPatienceS);
    server_.set_keep_alive_timeout(kPatienceS);
    server_.set_tcp_nodelay(true);
    Route();
  }

  ~Server() override {
    server_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Listen() {
    CLEAVE_ASSIGN_OR_RETURN(const HostPort address, ParseHostPort("listen", options_.listen));
    if (address.port == 0) {
      port_ = server_.bind_to_any_port(address.host);
    } else if (server_.bind_to_port(address.host, address.port)) {
      port_ = address.port;
    }
    if (port_ <= 0 || !server_.LetWait(kMostWaiting)) {
      return absl::UnavailableError(
          absl::StrCat("cannot listen on ", Printable(options_.listen), " for HTTP"));
    }
    thread_ = std::thread([this] { server_.listen_after_bind(); });
    // A server that is stopped before it runs would not stop.
    while (!server_.is_running()) std::this_thread::yield();
    return absl::OkStatus();
  }

  int port() const override { return port_; }

 private:
  void Route() {
    const auto detect = [this](const httplib::Request& request, httplib::Response& response) {
      Answer(response, Detect(request));
    };
    const auto models = [this](const httplib::Request& /*request*/, httplib::Response& response) {
      response.set_content(ModelsJson(options_.model), kJson);
    };
    const auto alive = [](const httplib::Request& /*request*/, httplib::Response& response) {
      response.set_content(AliveJson(), kJson);
    };
    server_.Post("/v1/vision/detection", detect);
    server_.Post("/v1/vision/custom/list", models);
    server_.Get("/v1/vision/custom/list", models);
    server_.Post("/v1/vision/custom/([^/]+)",
                 [this](const httplib::Request& request, httplib::Response& response) {
                   Answer(response, DetectBy(request.matches[1].str(), request));
                 });
    server_.Get("/v1/status/ping", alive);
    server_.Get("/healthz", alive);
    server_.set_error_handler([](const httplib::Request& request, httplib::Response& response) {
      if (!response.body.empty()) return;
      const absl::Status why =
          response.status == 404
              ? absl::NotFoundError(absl::StrCat(Printable(request.path), ": no such path"))
              : absl::InvalidArgumentError("a request that cannot be read, or is too long");
      response.set_content(ErrorOf(why).json, kJson);
    });
  }

  static void Answer(httplib::Response& response, const absl::StatusOr<std::string>& json) {
    if (json.ok()) return response.set_content(*json, kJson);
    const ApiError error = ErrorOf(json.status());
    response.status = error.http_status;
    response.set_content(error.json, kJson);
  }

  absl::StatusOr<std::string> DetectBy(const std::string& model, const httplib::Request& request) {
    if (model == options_.model) return Detect(request);
    return absl::NotFoundError(
        absl::StrCat("model: found ", Printable(model), ", expected ", options_.model));
  }

  absl::StatusOr<std::string> Detect(const httplib::Request& request) {
    if (!options_.api_key.empty() && Field(request, "api_key") != options_.api_key) {
      return absl::UnauthenticatedError("api_key: found another one, expected that of the server");
    }
    CLEAVE_ASSIGN_OR_RETURN(const double least,
                            ParseMinConfidence(Field(request, "min_confidence")));
    const std::optional<std::string> picture = Field(request, "image");
    if (!picture || picture->empty()) {
      return FieldError("image", "nothing", "a picture in a form (multipart/form-data)");
    }
    const std::int64_t started_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> found, finder_.Find(*picture));
    return PredictionsJson(found, options_.labels, least, Clock::Steady().NowUs() - started_us);
  }

  const HttpServerOptions options_;
  PictureFinder& finder_;
  PatientServer server_;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace

absl::Status HttpServerOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(ParseHostPort("listen", listen).status());
  CLEAVE_RETURN_IF_ERROR(CheckRange("threads", threads, 1, kMostThreads));
  return CheckAtLeast("max_request_bytes", max_request_bytes, std::size_t{1});
}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              PictureFinder& finder) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto server = std::make_unique<Server>(options, finder);
  CLEAVE_RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace cleave::recorder
