#ifndef CLEAVE_METRICS_DEVICE_MONITOR_H_
#define CLEAVE_METRICS_DEVICE_MONITOR_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "cleave/device.h"
#include "metrics/device_metrics.h"
#include "metrics/monitor_server.h"

namespace cleave::metrics {

// Tells over HTTP how a device does (MonitorServer); it is always ready. Thread-safe.
class DeviceMonitor {
 public:
  // `device`, which has the edge that `options` name, must outlive the monitor. The errors of
  // MonitorServer.
  static absl::StatusOr<std::unique_ptr<DeviceMonitor>> Start(const std::string& listen,
                                                              const std::string& version,
                                                              const Device& device,
                                                              const DeviceOptions& options);
  DeviceMonitor(const DeviceMonitor&) = delete;
  DeviceMonitor& operator=(const DeviceMonitor&) = delete;

  void Add(const InferenceRecord& record) { metrics_.Add(record); }
  int port() const { return server_->port(); }

 private:
  explicit DeviceMonitor(const std::string& version) : metrics_(version) {}

  DeviceMetrics metrics_;
  std::unique_ptr<MonitorServer> server_;  // The last member, so that it ends first.
};

}  // namespace cleave::metrics

#endif  // CLEAVE_METRICS_DEVICE_MONITOR_H_
