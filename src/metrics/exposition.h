#ifndef CLEAVE_METRICS_EXPOSITION_H_
#define CLEAVE_METRICS_EXPOSITION_H_

#include <prometheus/metric_family.h>
#include <prometheus/metric_type.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cleave::metrics {

// The upper ends of the buckets of durations, in seconds, and of batches.
std::vector<double> SecondsBuckets();
std::vector<double> BatchBuckets();

// One value that is read when it is asked for, with at most one label.
struct Reading {
  double value = 0;
  std::string label_value;  // Empty: the metric has no label.
};

// A metric that consists of such values. `label` names their label. REQUIRES: `type` is a counter
// or a gauge.
prometheus::MetricFamily FamilyOf(const std::string& name, const std::string& help,
                                  prometheus::MetricType type, const std::vector<Reading>& readings,
                                  const std::string& label = "");

// The metrics that Prometheus' own clients give of every process ("process_..."), and the build.
std::vector<prometheus::MetricFamily> ProcessFamilies(const std::string& version);

// All of them in the text format of Prometheus, version 0.0.4.
std::string TextOf(const std::vector<prometheus::MetricFamily>& families);

}  // namespace cleave::metrics

#endif  // CLEAVE_METRICS_EXPOSITION_H_
