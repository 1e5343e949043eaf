#ifndef CLEAVE_METRICS_EDGE_MONITOR_H_
#define CLEAVE_METRICS_EDGE_MONITOR_H_

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "cleave/edge.h"
#include "metrics/edge_metrics.h"
#include "metrics/monitor_server.h"

namespace cleave::metrics {

// Tells over HTTP how an edge does (MonitorServer), from before its models are loaded until after
// it has drained: /readyz is 200 while it takes requests. Thread-safe.
class EdgeMonitor {
 public:
  // The errors of MonitorServer.
  static absl::StatusOr<std::unique_ptr<EdgeMonitor>> Start(const std::string& listen,
                                                            const std::string& version);
  EdgeMonitor(const EdgeMonitor&) = delete;
  EdgeMonitor& operator=(const EdgeMonitor&) = delete;

  EdgeMetrics& metrics() { return metrics_; }
  int port() const { return server_->port(); }

  // The edge serves from now on, until Detach, which has to come before its end.
  void Attach(const Edge& edge);
  void Detach();

 private:
  explicit EdgeMonitor(const std::string& version) : metrics_(version) {}
  std::optional<EdgeStatistics> Now() const;

  EdgeMetrics metrics_;
  mutable absl::Mutex mutex_;
  const Edge* edge_ ABSL_GUARDED_BY(mutex_) = nullptr;
  std::unique_ptr<MonitorServer> server_;  // The last member, so that it ends first.
};

}  // namespace cleave::metrics

#endif  // CLEAVE_METRICS_EDGE_MONITOR_H_
