#include "metrics/device_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "metrics/exposition.h"

namespace cleave::metrics {
namespace {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::MetricFamily;
using prometheus::MetricType;

double Seconds(double us) { return us / 1e6; }

}  // namespace

absl::string_view FallbackReason(absl::string_view fallback) {
  struct Reason {
    absl::string_view begins;
    absl::string_view name;
  };
  // As FailureText (device/edge_link.h) words them.
  static constexpr std::array<Reason, 9> kReasons = {
      {{"timeout", "timeout"},
       {"edge unavailable", "unavailable"},
       {"credentials refused", "credentials"},
       {"refused", "refused"},
       {"digest mismatch", "digest"},
       {"the edge lacks the model", "model"},
       {"reply malformed", "reply"},
       {"edge error: PERMISSION_DENIED", "credentials"},
       {"edge error", "error"}}};
  for (const Reason& reason : kReasons) {
    if (absl::StartsWith(fallback, reason.begins)) return reason.name;
  }
  return "other";
}

struct DeviceMetrics::Counted {
  Counter& CounterOf(const std::string& name, const std::string& help,
                     const prometheus::Labels& labels = {}) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(labels);
  }
  Gauge& GaugeOf(const std::string& name, const std::string& help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
  }

  prometheus::Registry registry;
  prometheus::Family<Counter>& inferences = prometheus::BuildCounter()
                                                .Name("cleave_device_inferences_total")
                                                .Help("Inferences, by where they ran in the end.")
                                                .Register(registry);
  prometheus::Family<Counter>& plans = prometheus::BuildCounter()
                                           .Name("cleave_device_plans_total")
                                           .Help("Plans that the policy chose.")
                                           .Register(registry);
  prometheus::Family<Counter>& fallbacks =
      prometheus::BuildCounter()
          .Name("cleave_device_fallbacks_total")
          .Help("Inferences that the edge did not finish, by the reason.")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& latency =
      prometheus::BuildHistogram()
          .Name("cleave_device_latency_seconds")
          .Help("Times from an inference's begin to its answer, by where it ran.")
          .Register(registry);
  Counter& missed = CounterOf("cleave_device_deadlines_missed_total",
                              "Inferences that ended after their deadline.");
  Counter& filtered =
      CounterOf("cleave_device_filtered_total", "Inferences that the filter ended.");
  Counter& disagreed = CounterOf("cleave_device_disagreements_total",
                                 "Answers of the edge that the device's own did not agree with.");
  Counter& sent = CounterOf("cleave_device_sent_bytes_total", "Requests that were answered.");
  Counter& received = CounterOf("cleave_device_received_bytes_total", "Answers to them.");
  Gauge& link_rate = GaugeOf("cleave_device_link_up_bits_per_second",
                             "Estimated rate of the uplink; 0 without an edge.");
  Gauge& round_trip =
      GaugeOf("cleave_device_link_round_trip_seconds", "Estimated round trip of the link.");
  Gauge& link_age = GaugeOf("cleave_device_link_age_seconds", "Age of these estimates.");
  Gauge& device_slowdown =
      GaugeOf("cleave_device_slowdown", "Time of the device's runs over that of its profile.");
  Gauge& edge_slowdown =
      GaugeOf("cleave_device_edge_slowdown", "Time of the edge's runs over that of its profile.");
};

DeviceMetrics::DeviceMetrics(std::string version)
    : version_(std::move(version)), counted_(std::make_unique<Counted>()) {}

DeviceMetrics::~DeviceMetrics() = default;

void DeviceMetrics::Add(const InferenceRecord& record) {
  const std::string where(WhereName(record.where));
  counted_->inferences.Add({{"where", where}}).Increment();
  counted_->latency.Add({{"where", where}}, SecondsBuckets())
      .Observe(Seconds(static_cast<double>(record.latency_us)));
  counted_->plans
      .Add({{"exit", absl::StrCat(record.decided.exit)},
            {"cut", absl::StrCat(record.decided.cut)},
            {"encoding", std::string(EncodingName(record.decided.encoding))}})
      .Increment();
  if (record.fallback) {
    counted_->fallbacks.Add({{"reason", std::string(FallbackReason(*record.fallback))}})
        .Increment();
  }
  if (record.deadline_missed) counted_->missed.Increment();
  if (record.filter && record.filter->outcome == FilterRecord::Outcome::kFiltered) {
    counted_->filtered.Increment();
  }
  if (record.verification && !record.verification->agrees) counted_->disagreed.Increment();
  counted_->sent.Increment(static_cast<double>(record.bytes_up));
  counted_->received.Increment(static_cast<double>(record.bytes_down));
  counted_->link_rate.Set(record.link_up_bps);
  counted_->round_trip.Set(Seconds(record.link_rtt_us));
  counted_->link_age.Set(Seconds(static_cast<double>(record.link_age_us)));
  counted_->device_slowdown.Set(record.device_slowdown);
  counted_->edge_slowdown.Set(record.edge_slowdown);
}

std::string DeviceMetrics::Text(EdgeState edge) {
  std::vector<MetricFamily> all = ProcessFamilies(version_);
  if (edge != EdgeState::kNone) {
    all.push_back(FamilyOf("cleave_device_edge_usable", "Whether the edge can be asked now.",
                           MetricType::Gauge, {{.value = edge == EdgeState::kUsable ? 1.0 : 0.0}}));
  }
  for (MetricFamily& family : counted_->registry.Collect()) all.push_back(std::move(family));
  return TextOf(all);
}

}  // namespace cleave::metrics
