#ifndef CLEAVE_WORLD_MACHINE_PROCESS_H_
#define CLEAVE_WORLD_MACHINE_PROCESS_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "world/chance.h"
#include "world/course.h"

namespace cleave::world {

enum class MachineKind : std::uint8_t { kConstant, kMarkov, kWalk, kRecorded };

struct SlowdownStep {
  double duration_ms = 0;
  double slowdown = 1;
};

// How much slower a machine runs than its profile, over time. Slow-downs lie between 0.01 and 1000.
struct MachineOptions {
  MachineKind kind = MachineKind::kConstant;
  double slowdown = 1;  // Constant, and the Markov chain's off state.

  // Two states, each kept for an exponential time.
  double busy_slowdown = 4;
  double mean_idle_ms = 5'000;
  double mean_busy_ms = 5'000;

  // ln(slow-down) walks by normal steps between two walls that throw it back.
  double walk_low = 1;
  double walk_high = 4;
  double walk_step = 0.1;  // Standard deviation of the logarithm, for each `walk_ms`.
  double walk_ms = 100;

  // Repeats; the point where it begins is drawn.
  std::vector<SlowdownStep> recorded;

  double run_jitter = 0.03;  // Standard deviation of the logarithm of one run's time.

  // `name` begins the field's name in messages ("device.slowdown: found ..."). InvalidArgument.
  absl::Status Validate(absl::string_view name) const;
};

// Returns the share of time that the Markov chain is in its busy state.
double BusyShare(const MachineOptions& options);

// One machine through one episode. Thread-compatible.
class MachineProcess {
 public:
  // REQUIRES: options.Validate() is OK. Machines of one episode have a stream each.
  MachineProcess(const MachineOptions& options, std::uint64_t seed, std::uint64_t stream);

  // Returns when a run that takes `profile_us` by the profile, and begins then, ends.
  double FinishUs(double start_us, double profile_us, Jitter jitter);
  double SlowdownAt(double t_us) { return 1 / speed_.RateAt(t_us); }

 private:
  double run_jitter_;
  Chance run_chance_;
  SegmentCourse speed_;  // Profile time per time.
};

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_MACHINE_PROCESS_H_
