#include "metrics/edge_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/printable.h"
#include "core/process_statistics.h"
#include "metrics/exposition.h"

namespace cleave::metrics {
namespace {

using prometheus::Counter;
using prometheus::Histogram;
using prometheus::MetricFamily;
using prometheus::MetricType;

template <typename Kind>
prometheus::Family<Kind>& FamilyIn(prometheus::Registry& registry, const std::string& name,
                                   const std::string& help) {
  if constexpr (std::is_same_v<Kind, Counter>) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
  } else {
    return prometheus::BuildHistogram().Name(name).Help(help).Register(registry);
  }
}

double Seconds(std::int64_t us) { return static_cast<double>(us) / 1e6; }

std::string NameOf(absl::StatusCode code) { return absl::StatusCodeToString(code); }

// The state of the edge itself.
std::vector<MetricFamily> StateFamilies(const EdgeStatistics& now) {
  const auto gauge = [](const std::string& name, const std::string& help, double value) {
    return FamilyOf(absl::StrCat("cleave_edge_", name), help, MetricType::Gauge,
                    {{.value = value}});
  };
  std::vector<Reading> models;
  for (const std::string& model : now.models) {
    models.push_back({.value = 1, .label_value = Printable(model)});
  }
  return {gauge("queue_length", "Requests that wait for a worker.", now.queued),
          gauge("queue_capacity", "Requests that may wait.", now.queue_capacity),
          gauge("running", "Runs under way.", now.running),
          gauge("workers", "Runs that may be under way.", now.workers),
          gauge("utilization", "Busy share of the workers over the last seconds.", now.utilization),
          gauge("expected_wait_seconds", "Wait of a request of a new client.",
                Seconds(now.expected_wait_us)),
          gauge("calls_in_flight", "Calls that have not ended.",
                static_cast<double>(now.calls_in_flight)),
          gauge("call_bytes_in_flight", "What these calls hold.",
                static_cast<double>(now.call_bytes_in_flight)),
          gauge("connections", "Connections to the port, as the kernel counts them.",
                static_cast<double>(CountConnections(now.port))),
          gauge("uptime_seconds", "Time since the edge began to serve.", Seconds(now.uptime_us)),
          gauge("draining", "Whether it takes no more requests.", now.draining ? 1 : 0),
          FamilyOf("cleave_edge_model_served", "The models that are served; the value is 1.",
                   MetricType::Gauge, models, "model")};
}

}  // namespace

struct EdgeMetrics::Counted {
  // What belongs to one model, or to requests that name none that there is.
  struct Model {
    std::map<std::tuple<std::string, std::string, absl::StatusCode>, Counter*> inferences;
    Histogram* queue = nullptr;
    Histogram* compute = nullptr;
    Histogram* decode = nullptr;
    Histogram* batch = nullptr;
  };

  void CountInference(const EdgeEvent& event) ABSL_LOCKS_EXCLUDED(mutex) {
    using enum EdgeEvent::Named;
    const std::string name = event.named == kNothing ? "" : Printable(event.model);
    const bool start_known = event.named == kStart;
    const std::string exit = start_known && event.exit ? absl::StrCat(*event.exit) : "";
    const std::string cut = start_known ? absl::StrCat(event.cut) : "";
    const absl::MutexLock lock(&mutex);
    Model& model = models[name];
    Counter*& counter = model.inferences[{exit, cut, event.code}];
    if (counter == nullptr) {
      counter = &inferences.Add(
          {{"model", name}, {"exit", exit}, {"cut", cut}, {"code", NameOf(event.code)}});
    }
    counter->Increment();
    if (event.kind != EdgeEventKind::kInfer) return;
    Observe(model.queue, queue, name, Seconds(event.queue_us));
    Observe(model.compute, compute, name, Seconds(event.compute_us));
    Observe(model.decode, decode, name, Seconds(event.decode_us));
    if (model.batch == nullptr) model.batch = &batch.Add({{"model", name}}, BatchBuckets());
    model.batch->Observe(static_cast<double>(event.batch));
  }

  static void Observe(Histogram*& of_model, prometheus::Family<Histogram>& family,
                      const std::string& name, double seconds) {
    if (of_model == nullptr) of_model = &family.Add({{"model", name}}, SecondsBuckets());
    of_model->Observe(seconds);
  }

  void Forget(const Model& model) {
    for (const auto& [labels, counter] : model.inferences) inferences.Remove(counter);
    // The library does nothing for null.
    queue.Remove(model.queue);
    compute.Remove(model.compute);
    decode.Remove(model.decode);
    batch.Remove(model.batch);
  }

  // A peer that may push could otherwise fill the memory with names.
  void ForgetAllBut(const std::vector<std::string>& served) ABSL_LOCKS_EXCLUDED(mutex) {
    const absl::MutexLock lock(&mutex);
    for (auto model = models.begin(); model != models.end();) {
      const auto has_name = [&](const std::string& name) {
        return Printable(name) == model->first;
      };
      const bool keep = model->first.empty() || std::any_of(served.begin(), served.end(), has_name);
      if (!keep) Forget(model->second);
      model = keep ? std::next(model) : models.erase(model);
    }
  }

  prometheus::Registry registry;
  prometheus::Family<Counter>& inferences = FamilyIn<Counter>(
      registry, "cleave_edge_inferences_total",
      "Inferences that were asked for, by what became of them. Labels are empty where the request "
      "named nothing that there is.");
  prometheus::Family<Histogram>& queue = FamilyIn<Histogram>(
      registry, "cleave_edge_queue_seconds", "Waits of the inferences that were answered.");
  prometheus::Family<Histogram>& compute = FamilyIn<Histogram>(
      registry, "cleave_edge_compute_seconds", "Runs of the inferences that were answered.");
  prometheus::Family<Histogram>& decode = FamilyIn<Histogram>(
      registry, "cleave_edge_decode_seconds",
      "Times in which frames and pictures became tensors; 0 for plain tensors.");
  prometheus::Family<Histogram>& batch = FamilyIn<Histogram>(
      registry, "cleave_edge_batch_size", "Batches of the inferences that were answered.");
  prometheus::Family<Counter>& calls =
      FamilyIn<Counter>(registry, "cleave_edge_calls_total", "Calls of all kinds that have ended.");
  prometheus::Family<Counter>& refusals =
      FamilyIn<Counter>(registry, "cleave_edge_refusals_total",
                        "Calls that were refused for want of room, time or rights, by the reason.");
  Counter& received =
      FamilyIn<Counter>(registry, "cleave_edge_received_bytes_total", "Messages that arrived.")
          .Add({});
  Counter& sent =
      FamilyIn<Counter>(registry, "cleave_edge_sent_bytes_total", "Messages that answered.")
          .Add({});
  absl::Mutex mutex;
  std::map<std::string, Model> models ABSL_GUARDED_BY(mutex);
};

EdgeMetrics::EdgeMetrics(std::string version)
    : version_(std::move(version)), counted_(std::make_unique<Counted>()) {}

EdgeMetrics::~EdgeMetrics() = default;

void EdgeMetrics::Add(const EdgeEvent& event) {
  using enum EdgeEventKind;
  if (event.kind == kInfer || event.kind == kRefused || event.kind == kError) {
    counted_->CountInference(event);
  }
}

void EdgeMetrics::Add(const EdgeCall& call) {
  counted_->calls.Add({{"method", call.method}, {"code", NameOf(call.code)}}).Increment();
  if (call.refusal) {
    counted_->refusals.Add({{"reason", std::string(RefusalName(*call.refusal))}}).Increment();
  }
  counted_->received.Increment(static_cast<double>(call.received_bytes));
  counted_->sent.Increment(static_cast<double>(call.sent_bytes));
}

std::string EdgeMetrics::Text(const std::optional<EdgeStatistics>& now) {
  std::vector<MetricFamily> all = ProcessFamilies(version_);
  if (now) {
    counted_->ForgetAllBut(now->models);
    for (MetricFamily& family : StateFamilies(*now)) all.push_back(std::move(family));
  }
  // Series are not removed while they are read.
  const absl::MutexLock lock(&counted_->mutex);
  for (MetricFamily& family : counted_->registry.Collect()) all.push_back(std::move(family));
  return TextOf(all);
}

}  // namespace cleave::metrics
