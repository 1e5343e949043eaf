#ifndef CLEAVE_EXPERIMENTS_DSC_SCENARIOS_H_
#define CLEAVE_EXPERIMENTS_DSC_SCENARIOS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cleave/cancel.h"
#include "experiments/dsc/results.h"
#include "experiments/rig/rig.h"
#include "experiments/rig/worker.h"
#include "link/trace.h"

namespace cleave::experiments::dsc {

// Runs `dynamic` without pause while the rate falls and rises `cycles` times. `high` and `low` are
// the points of the grid that say which cuts are right.
StepResult RunStep(rig::Rig& rig, rig::Worker& device, const PointResult& high,
                   const PointResult& low, int cycles, const CancelToken& cancel);

struct TraceOptions {
  std::string name;
  bool made_up = false;
  double seconds = 60;
  std::size_t fixed_cuts = 3;  // Beside device and edge.
};

// Returns a link that fades, drops and recovers over a minute: what is replayed where no recording
// is given.
absl::StatusOr<Trace> MadeUpTrace();

// Each policy runs the trace from its start: dynamic, device, edge, and the fixed cuts that come
// out best when the trace is replayed on paper. An inference starts at every beat that a device
// alone could keep, or as soon as the one before has ended.
TraceResult RunTrace(rig::Rig& rig, const std::string& model_file, const std::string& model,
                     const Trace& trace, const TraceOptions& options, const CancelToken& cancel);

// Kills the edge in the middle of inferences and starts it again, `kills` times. The device runs
// with the policy `edge`, which tries it whenever it can be reached.
KillResult RunKills(rig::Rig& rig, const std::string& model_file, const std::string& model,
                    int kills, std::uint64_t seed, const CancelToken& cancel);

}  // namespace cleave::experiments::dsc

#endif  // CLEAVE_EXPERIMENTS_DSC_SCENARIOS_H_
