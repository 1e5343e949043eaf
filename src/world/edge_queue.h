#ifndef CLEAVE_WORLD_EDGE_QUEUE_H_
#define CLEAVE_WORLD_EDGE_QUEUE_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "world/chance.h"

namespace cleave::world {

enum class QueueKind : std::uint8_t { kEmpty, kOthers, kRecorded };

struct WaitStep {
  double duration_ms = 0;
  double wait_us = 0;
};

// What other devices keep an edge's one worker busy with: M/G/1, first come, first served.
struct EdgeQueueOptions {
  QueueKind kind = QueueKind::kEmpty;
  double arrivals_per_s = 20;
  double service_ms = 10;  // Mean.
  // Standard deviation / mean of a service: 0 constant, 1 exponential, else log-normal.
  double service_cv = 1;
  std::vector<WaitStep> recorded;  // Repeats; the point where it begins is drawn.

  double load() const { return arrivals_per_s * service_ms / 1e3; }  // At most 0.95.
  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// The queue through one episode; the work of others only, so that it is the same whatever a device
// does. Thread-compatible.
class EdgeQueue {
 public:
  // REQUIRES: options.Validate() is OK.
  EdgeQueue(const EdgeQueueOptions& options, std::uint64_t seed);

  // Returns what a request that arrives then really waits.
  double WaitUs(double t_us);
  // Returns what the edge says that it would wait: of each request it knows what one takes on
  // average, and how long it has run (src/edge/admission.cc).
  double ReportedUs(double t_us);

 private:
  struct Job {
    double arrival_us = 0;
    double start_us = 0;
    double end_us = 0;
  };

  double DrawServiceUs(std::int64_t index) const;
  void ExtendTo(double t_us);
  double RecordedUs(double t_us) const;

  EdgeQueueOptions options_;
  Chance arrivals_;
  Chance services_;
  double recorded_us_ = 0;   // Its whole time,
  double beginning_us_ = 0;  // and where in it the episode begins.
  std::vector<Job> jobs_;
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_EDGE_QUEUE_H_
