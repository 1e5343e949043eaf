#ifndef CLEAVE_RECORDER_HTTP_SERVER_H_
#define CLEAVE_RECORDER_HTTP_SERVER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "recorder/picture_finder.h"

namespace cleave::recorder {

struct HttpServerOptions {
  std::string listen = "127.0.0.1:32168";  // HOST:PORT; port 0 takes any free one.
  int threads = 8;  // Connections that are served at the same time; others wait.
  std::size_t max_request_bytes = std::size_t{32} << 20;
  // What a client has to send in the field "api_key"; empty: whoever reaches the port may ask.
  std::string api_key;
  std::string model;                // The name of the model, for clients that ask.
  std::vector<std::string> labels;  // Names of the classes, by index.

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// Serves the HTTP API of DeepStack and CodeProject.AI (recorder/vision_api.h):
//   POST /v1/vision/detection, POST /v1/vision/custom/MODEL
//                                   a form with "image", and perhaps "min_confidence", "api_key"
//   GET or POST /v1/vision/custom/list, GET /v1/status/ping, GET /healthz
// It is plain HTTP, for a network that one trusts. Thread-safe.
class HttpServer {
 public:
  // Starts to listen. `finder` has to outlive the server. Unavailable says why an address cannot be
  // had.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                           PictureFinder& finder);
  // Stops to listen, and ends when the requests under way are answered.
  virtual ~HttpServer() = default;

  virtual int port() const = 0;
};

}  // namespace cleave::recorder

#endif  // CLEAVE_RECORDER_HTTP_SERVER_H_
