#ifndef CLEAVE_METRICS_DEVICE_METRICS_H_
#define CLEAVE_METRICS_DEVICE_METRICS_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "cleave/device.h"

namespace cleave::metrics {

// Counts what a device does, and tells it to Prometheus; docs/metrics.md lists the metrics.
// Thread-safe.
class DeviceMetrics {
 public:
  explicit DeviceMetrics(std::string version);
  ~DeviceMetrics();

  void Add(const InferenceRecord& record);

  // Whether a request could be sent to the edge now.
  enum class EdgeState { kNone, kUsable, kUnusable };
  // All metrics in the text format of Prometheus.
  std::string Text(EdgeState edge);

 private:
  struct Counted;

  const std::string version_;
  std::unique_ptr<Counted> counted_;
};

// One of a few words for why the edge did not finish an inference, of InferenceRecord::fallback,
// which holds numbers and texts of the edge: "timeout", "unavailable", "credentials", "refused",
// "digest", "model", "reply", "error", or "other".
absl::string_view FallbackReason(absl::string_view fallback);

}  // namespace cleave::metrics

#endif  // CLEAVE_METRICS_DEVICE_METRICS_H_
