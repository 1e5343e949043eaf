#ifndef CLEAVE_TESTS_E2E_REPLAY_RUN_H_
#define CLEAVE_TESTS_E2E_REPLAY_RUN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cleave/plan.h"
#include "policy/plan_table.h"

namespace cleave {

// One inference of a recorded run, and what the environment makes of it.
struct ReplayedRun {
  std::int64_t id = 0;
  Plan plan;
  Where where = Where::kDevice;
  double measured_us = 0;
  double predicted_us = 0;  // By the environment's code, from what the record tells of the state.

  double RelativeError() const;  // |predicted - measured| / measured
};

struct ReplayedRuns {
  std::vector<ReplayedRun> runs;
  int fallbacks = 0;       // Left out: nobody can tell what an edge that did not answer would take,
  int without_a_plan = 0;  // as is what the table lacks.
  double MedianError() const;  // 0 without runs.
};

// What `cleave run --json` printed (docs/run-format.md), inference by inference: the time that
// RunPlan (world/plan_run.h) gives each plan in a world that stands still in the state of its
// record. The wait in the edge's queue is the measured one, since the record has no other; both
// ways of the link have the rate of the uplink. InvalidArgument: origin, line, field, what was
// found and what was expected.
absl::StatusOr<ReplayedRuns> ReplayRecords(const PlanTable& table, absl::string_view json_lines,
                                           const std::string& origin);

}  // namespace cleave

#endif  // CLEAVE_TESTS_E2E_REPLAY_RUN_H_
