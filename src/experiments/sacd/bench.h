#ifndef CLEAVE_EXPERIMENTS_SACD_BENCH_H_
#define CLEAVE_EXPERIMENTS_SACD_BENCH_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "experiments/rig/rig.h"
#include "experiments/rig/worker.h"
#include "experiments/sacd/follow.h"
#include "experiments/sacd/truth.h"
#include "world/simulated_environment.h"

namespace cleave::experiments::sacd {

// What is going to run on the rig.
struct BenchTerms {
  double device_share = 1;             // The share of a core that slow-down 1 is.
  double beat_us = 0;                  // The time from one inference to the next.
  std::vector<std::uint64_t> courses;  // Not empty.
  double course_us = 0;                // Length of one.
};

struct Bench {
  BenchFigures figures;
  ShareRule rule;  // As without costs where no share is enforced.
};

// Measures the rig before a run, over a fast link: the round trip as a device of it,
// without a deadline, believes it to be, how fast edge and device are, and what shares cost at the
// least and at the greatest slow-down of the courses. All with a beat between inferences, for a
// processor is slower after a pause than in the loop that profiles come from. Leaves the device at
// some share.
absl::StatusOr<Bench> MeasureBench(rig::Rig& rig, rig::Worker& device,
                                   const world::SimulatedEnvironment& environment,
                                   const BenchTerms& terms);

}  // namespace cleave::experiments::sacd

#endif  // CLEAVE_EXPERIMENTS_SACD_BENCH_H_
