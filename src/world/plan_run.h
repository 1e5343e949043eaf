#ifndef CLEAVE_WORLD_PLAN_RUN_H_
#define CLEAVE_WORLD_PLAN_RUN_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "policy/plan_table.h"
#include "world/edge_queue.h"
#include "world/link_process.h"
#include "world/machine_process.h"

namespace cleave::world {

struct WorldOptions {
  LinkOptions link;
  MachineOptions device;
  MachineOptions edge;
  EdgeQueueOptions queue;

  // InvalidArgument names the field, what was found and what was expected.
  absl::Status Validate() const;
};

// All that an episode's inferences meet. Of the same options and seed it is the same world,
// whatever is done in it. Thread-compatible.
struct World {
  // REQUIRES: options.Validate() is OK.
  World(const WorldOptions& options, std::uint64_t seed);

  LinkProcess link;
  MachineProcess device;
  MachineProcess edge;
  EdgeQueue queue;
};

// How and where in the world a run begins.
struct RunStart {
  double now_us = 0;
  bool entropy = false;  // The request is sent compressed.
  // Probes that are under way hold a transfer up until then.
  double up_free_us = 0;
  double down_free_us = 0;
  Jitter jitter = Jitter::kDrawn;
  double device_factor = 1;  // The device's runs take so many times what they would.
};

// What became of one inference.
struct PlanRun {
  double head_us = 0;
  double encode_us = 0;
  double uplink_us = 0;
  double queue_us = 0;
  double tail_us = 0;  // On the edge, or on the device where it fell back.
  double downlink_us = 0;
  double wasted_us = 0;  // On an edge that did not answer in time.
  bool answered = false;
  bool sent = false;
  bool entropy = false;  // It was sent compressed.
  std::int64_t timeout_us = 0;
  double sent_us = 0;      // When the request left,
  double answered_us = 0;  // and when the device had the answer, or gave up.
  double up_free_us = 0;   // When the link is free again.
  double down_free_us = 0;
  double end_us = 0;

  double DeviceUs() const { return head_us + encode_us + (answered ? 0 : tail_us); }
};

// How long to wait for an answer, from the end of the head on; 0: not at all.
using WaitRule = std::function<std::int64_t(double head_end_us)>;

// Returns what a plan takes in this world: the one place of the environment where time is made of
// costs. A remote plan that is not answered in time ends on the device, from the tensor that it
// holds.
PlanRun RunPlan(const PlanCost& cost, const RunStart& start, const WaitRule& wait, World& world);

}  // namespace cleave::world

#endif  // CLEAVE_WORLD_PLAN_RUN_H_
