#ifndef CLEAVE_METRICS_MONITOR_SERVER_H_
#define CLEAVE_METRICS_MONITOR_SERVER_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cleave::metrics {

struct MonitorOptions {
  std::string listen;  // HOST:PORT; port 0 takes any free one.
  // The text of /metrics (metrics/exposition.h). Called from several threads at a time.
  std::function<std::string()> metrics;
  // Whether work should be sent here, and why not. Called from several threads at a time.
  std::function<absl::Status()> ready;
};

// Tells over plain HTTP how a process does:
//   GET /metrics   its metrics, in the text format of Prometheus, version 0.0.4
//   GET /healthz   200: it answers
//   GET /readyz    200: work may be sent here; 503, with the reason, if not
// Whoever reaches the port may ask. Thread-safe.
class MonitorServer {
 public:
  // Unavailable says why an address cannot be had; InvalidArgument names the field.
  static absl::StatusOr<std::unique_ptr<MonitorServer>> Start(MonitorOptions options);
  // Ends when the requests under way are answered; nothing of the options is called any more.
  virtual ~MonitorServer() = default;

  virtual int port() const = 0;
};

// The URL of the metrics of a server that was told to listen on `listen` and has this port.
std::string UrlOf(const std::string& listen, int port);

}  // namespace cleave::metrics

#endif  // CLEAVE_METRICS_MONITOR_SERVER_H_
