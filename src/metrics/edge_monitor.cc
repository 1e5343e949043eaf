#include "metrics/edge_monitor.h"

#include <optional>
#include <utility>

#include "core/status_macros.h"

namespace cleave::metrics {
namespace {

absl::Status ReadyToServe(const std::optional<EdgeStatistics>& now) {
  if (!now) return absl::UnavailableError("the edge does not serve: it loads models, or has ended");
  if (now->draining) return absl::UnavailableError("the edge is shutting down");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<EdgeMonitor>> EdgeMonitor::Start(const std::string& listen,
                                                                const std::string& version) {
  std::unique_ptr<EdgeMonitor> monitor(new EdgeMonitor(version));
  MonitorOptions options;
  options.listen = listen;
  options.metrics = [monitor = monitor.get()] { return monitor->metrics_.Text(monitor->Now()); };
  options.ready = [monitor = monitor.get()] { return ReadyToServe(monitor->Now()); };
  CLEAVE_ASSIGN_OR_RETURN(monitor->server_, MonitorServer::Start(std::move(options)));
  return monitor;
}

void EdgeMonitor::Attach(const Edge& edge) {
  const absl::MutexLock lock(&mutex_);
  edge_ = &edge;
}

void EdgeMonitor::Detach() {
  const absl::MutexLock lock(&mutex_);
  edge_ = nullptr;
}

std::optional<EdgeStatistics> EdgeMonitor::Now() const {
  const absl::MutexLock lock(&mutex_);
  return edge_ == nullptr ? std::nullopt : std::make_optional(edge_->statistics());
}

}  // namespace cleave::metrics
