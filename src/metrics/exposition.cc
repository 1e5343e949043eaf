#include "metrics/exposition.h"

#include <prometheus/text_serializer.h>

#include "core/process_statistics.h"

namespace cleave::metrics {

using prometheus::MetricFamily;
using prometheus::MetricType;

std::vector<double> SecondsBuckets() {
  return {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};
}

std::vector<double> BatchBuckets() { return {1, 2, 4, 8, 16, 32, 64, 128, 256}; }

MetricFamily FamilyOf(const std::string& name, const std::string& help, MetricType type,
                      const std::vector<Reading>& readings, const std::string& label) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  for (const Reading& reading : readings) {
    prometheus::ClientMetric metric;
    if (!label.empty()) metric.label.push_back({label, reading.label_value});
    if (type == MetricType::Counter) {
      metric.counter.value = reading.value;
    } else {
      metric.gauge.value = reading.value;
    }
    family.metric.push_back(metric);
  }
  return family;
}

std::vector<MetricFamily> ProcessFamilies(const std::string& version) {
  const ProcessStatistics process = ReadProcessStatistics();
  const auto gauge = [](const std::string& name, const std::string& help, std::int64_t value) {
    return FamilyOf(name, help, MetricType::Gauge, {{.value = static_cast<double>(value)}});
  };
  return {
      FamilyOf("cleave_build_info", "The version of the program; the value is 1.",
               MetricType::Gauge, {{.value = 1, .label_value = version}}, "version"),
      FamilyOf("process_cpu_seconds_total", "Time on processors, user and system together.",
               MetricType::Counter, {{.value = process.cpu_seconds}}),
      gauge("process_resident_memory_bytes", "Memory that is resident.", process.resident_bytes),
      gauge("process_virtual_memory_bytes", "Memory that is mapped.", process.virtual_bytes),
      gauge("process_open_fds", "Files and connections that are open.", process.open_files),
      gauge("process_max_fds", "As many as may be open.", process.max_files),
      gauge("process_threads", "Threads that there are.", process.threads)};
}

std::string TextOf(const std::vector<MetricFamily>& families) {
  // The base class has the form that returns the text.
  const prometheus::TextSerializer text;
  return static_cast<const prometheus::Serializer&>(text).Serialize(families);
}

}  // namespace cleave::metrics
