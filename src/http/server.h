#ifndef CLEAVE_HTTP_SERVER_H_
#define CLEAVE_HTTP_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::http {

// A request as its route sees it; it lives as long as the call of the route.
struct Request {
  std::string path;
  std::vector<std::string> parts;  // Of the path, what each group of the route's pattern matched.
  // The contents of a field of the form that was sent, or of a parameter of the query.
  std::function<std::optional<std::string>(const char* name)> field;
};

struct Response {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

struct Route {
  enum class Method : std::uint8_t { kGet, kPost };
  Method method = Method::kGet;
  std::string pattern;  // A regular expression of the whole path.
  std::function<Response(const Request&)> answer;
};

struct ServerOptions {
  std::string listen;  // HOST:PORT; port 0 takes any free one.
  int threads = 8;     // Connections that are served at the same time; others wait.
  std::size_t max_request_bytes = std::size_t{64} << 10;
  // What to say where there is no such path (404), or where a request cannot be read.
  std::function<Response(const std::string& path, int status)> on_error;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// A plain HTTP/1.1 server, for a network that one trusts. Thread-safe.
class Server {
 public:
  // Starts to listen. Routes are called from the server's threads, several at a time. Unavailable
  // says why an address cannot be had.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       std::vector<Route> routes);
  // Stops to listen, and ends when the requests under way are answered.
  virtual ~Server() = default;

  virtual int port() const = 0;
};

}  // namespace cleave::http

#endif  // CLEAVE_HTTP_SERVER_H_
