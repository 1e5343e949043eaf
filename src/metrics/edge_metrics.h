#ifndef CLEAVE_METRICS_EDGE_METRICS_H_
#define CLEAVE_METRICS_EDGE_METRICS_H_

#include <memory>
#include <optional>
#include <string>

#include "cleave/edge.h"

namespace cleave::metrics {

// Counts what an edge does, and tells it to Prometheus; docs/metrics.md lists the metrics. A label
// never holds what only a peer says: models, exits and cuts are those that the edge has.
// Thread-safe.
class EdgeMetrics {
 public:
  explicit EdgeMetrics(std::string version);
  ~EdgeMetrics();

  // For EdgeOptions::on_event and EdgeOptions::on_call.
  void Add(const EdgeEvent& event);
  void Add(const EdgeCall& call);

  // All metrics in the text format of Prometheus. `now` is the state of the edge; nothing: it does
  // not serve yet. What was counted of models that are not among those of `now` is forgotten.
  std::string Text(const std::optional<EdgeStatistics>& now);

 private:
  struct Counted;

  const std::string version_;
  std::unique_ptr<Counted> counted_;
};

}  // namespace cleave::metrics

#endif  // CLEAVE_METRICS_EDGE_METRICS_H_
