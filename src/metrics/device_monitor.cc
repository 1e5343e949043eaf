#include "metrics/device_monitor.h"

#include <utility>

#include "core/status_macros.h"

namespace cleave::metrics {

absl::StatusOr<std::unique_ptr<DeviceMonitor>> DeviceMonitor::Start(const std::string& listen,
                                                                    const std::string& version,
                                                                    const Device& device,
                                                                    const DeviceOptions& options) {
  using enum DeviceMetrics::EdgeState;
  std::unique_ptr<DeviceMonitor> monitor(new DeviceMonitor(version));
  MonitorOptions monitored;
  monitored.listen = listen;
  monitored.metrics = [monitor = monitor.get(), &device, alone = options.edge.address.empty()] {
    return monitor->metrics_.Text(alone ? kNone : device.edge_usable() ? kUsable : kUnusable);
  };
  monitored.ready = [] { return absl::OkStatus(); };
  CLEAVE_ASSIGN_OR_RETURN(monitor->server_, MonitorServer::Start(std::move(monitored)));
  return monitor;
}

}  // namespace cleave::metrics
