#include "recorder/http_server.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/printable.h"
#include "core/status_macros.h"
#include "http/server.h"
#include "recorder/vision_api.h"

namespace cleave::recorder {
namespace {

constexpr char kJson[] = "application/json";

http::Response Json(std::string body) { return {.type = kJson, .body = std::move(body)}; }

http::Response Refuse(const absl::Status& why) {
  const ApiError error = ErrorOf(why);
  return {.status = error.http_status, .type = kJson, .body = error.json};
}

http::Response Answer(const absl::StatusOr<std::string>& json) {
  return json.ok() ? Json(*json) : Refuse(json.status());
}

http::Response ErrorPage(const std::string& path, int status) {
  const absl::Status why =
      status == 404 ? absl::NotFoundError(absl::StrCat(Printable(path), ": no such path"))
                    : absl::InvalidArgumentError("a request that cannot be read, or is too long");
  return {.status = status, .type = kJson, .body = ErrorOf(why).json};
}

class Server final : public HttpServer {
 public:
  Server(const HttpServerOptions& options, PictureFinder& finder)
      : options_(options), finder_(finder) {}

  absl::Status Listen() {
    http::ServerOptions options = TransportOf(options_);
    options.on_error = ErrorPage;
    CLEAVE_ASSIGN_OR_RETURN(server_, http::Server::Start(options, Routes()));
    return absl::OkStatus();
  }

  static http::ServerOptions TransportOf(const HttpServerOptions& options) {
    return {.listen = options.listen,
            .threads = options.threads,
            .max_request_bytes = options.max_request_bytes,
            .on_error = nullptr};
  }

  int port() const override { return server_->port(); }

 private:
  std::vector<http::Route> Routes() {
    using enum http::Route::Method;
    const auto detect = [this](const http::Request& request) { return Answer(Detect(request)); };
    const auto models = [this](const http::Request&) { return Json(ModelsJson(options_.model)); };
    const auto alive = [](const http::Request&) { return Json(AliveJson()); };
    const auto detect_by = [this](const http::Request& request) {
      return Answer(DetectBy(request.parts.front(), request));
    };
    return {
        {kPost, "/v1/vision/detection", detect},  {kPost, "/v1/vision/custom/list", models},
        {kGet, "/v1/vision/custom/list", models}, {kPost, "/v1/vision/custom/([^/]+)", detect_by},
        {kGet, "/v1/status/ping", alive},         {kGet, "/healthz", alive}};
  }

  absl::StatusOr<std::string> DetectBy(const std::string& model, const http::Request& request) {
    if (model == options_.model) return Detect(request);
    return absl::NotFoundError(
        absl::StrCat("model: found ", Printable(model), ", expected ", options_.model));
  }

  absl::StatusOr<std::string> Detect(const http::Request& request) {
    if (!options_.api_key.empty() && request.field("api_key") != options_.api_key) {
      return absl::UnauthenticatedError("api_key: found another one, expected that of the server");
    }
    CLEAVE_ASSIGN_OR_RETURN(const double least,
                            ParseMinConfidence(request.field("min_confidence")));
    const std::optional<std::string> picture = request.field("image");
    if (!picture || picture->empty()) {
      return FieldError("image", "nothing", "a picture in a form (multipart/form-data)");
    }
    const std::int64_t started_us = Clock::Steady().NowUs();
    CLEAVE_ASSIGN_OR_RETURN(const std::vector<Detection> found, finder_.Find(*picture));
    return PredictionsJson(found, options_.labels, least, Clock::Steady().NowUs() - started_us);
  }

  const HttpServerOptions options_;
  PictureFinder& finder_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace

absl::Status HttpServerOptions::Validate() const { return Server::TransportOf(*this).Validate(); }

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                              PictureFinder& finder) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  auto server = std::make_unique<Server>(options, finder);
  CLEAVE_RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace cleave::recorder
