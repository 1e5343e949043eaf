#include "world/plan_run.h"

#include <algorithm>

#include "core/status_macros.h"

namespace cleave::world {
namespace {

constexpr std::uint64_t kDeviceStream = 10;
constexpr std::uint64_t kEdgeStream = 20;

// Takes the request to the edge, through it and the answer back. It ends at `give_up_us` at the
// latest.
void Exchange(const PlanCost& cost, const RunStart& start, double give_up_us, World& world,
              PlanRun& run) {
  const double one_way_us = world.link.RttUs(run.sent_us, start.jitter) / 2;
  const double up_us = std::max(run.sent_us, start.up_free_us);
  const double up_end_us =
      world.link.up().FinishUs(up_us, cost.RequestBytes({.entropy = start.entropy}), give_up_us);
  run.up_free_us = std::min(up_end_us, give_up_us);
  run.answered_us = give_up_us;
  if (up_end_us == kNever) return;
  const double arrived_us = up_end_us + one_way_us;
  const double begun_us = arrived_us + world.queue.WaitUs(arrived_us);
  if (begun_us > give_up_us) return;
  const double done_us = world.edge.FinishUs(begun_us, cost.tail_us, start.jitter);
  if (done_us > give_up_us) return;
  const double down_us = std::max(done_us, start.down_free_us);
  const double down_end_us = world.link.down().FinishUs(down_us, cost.bytes_down, give_up_us);
  run.down_free_us = std::min(down_end_us, give_up_us);
  const double answered_us = down_end_us + one_way_us;
  if (answered_us > give_up_us) return;
  run.answered = true;
  run.answered_us = answered_us;
  run.uplink_us = arrived_us - run.sent_us;
  run.queue_us = begun_us - arrived_us;
  run.tail_us = done_us - begun_us;
  run.downlink_us = answered_us - done_us;
}

}  // namespace

absl::Status WorldOptions::Validate() const {
  CLEAVE_RETURN_IF_ERROR(link.Validate());
  CLEAVE_RETURN_IF_ERROR(device.Validate("device"));
  CLEAVE_RETURN_IF_ERROR(edge.Validate("edge"));
  return queue.Validate();
}

World::World(const WorldOptions& options, std::uint64_t seed)
    : link(options.link, seed),
      device(options.device, seed, kDeviceStream),
      edge(options.edge, seed, kEdgeStream),
      queue(options.queue, seed) {}

PlanRun RunPlan(const PlanCost& cost, const RunStart& start, const WaitRule& wait, World& world) {
  PlanRun run;
  run.entropy = start.entropy;
  run.up_free_us = start.up_free_us;
  run.down_free_us = start.down_free_us;
  const auto finish_us = [&](double from_us, double profile_us) {
    return world.device.FinishUs(from_us, profile_us * start.device_factor, start.jitter);
  };
  const double head_end_us = finish_us(start.now_us, cost.head_us);
  run.head_us = head_end_us - start.now_us;
  run.end_us = head_end_us;
  if (!cost.remote()) return run;
  run.timeout_us = wait(head_end_us);
  if (run.timeout_us > 0) {
    const double encode_us = cost.encode_us + (start.entropy ? cost.entropy_us : 0);
    run.sent = true;
    run.sent_us = finish_us(head_end_us, encode_us);
    run.encode_us = run.sent_us - head_end_us;
    Exchange(cost, start, run.sent_us + static_cast<double>(run.timeout_us), world, run);
    run.end_us = run.answered_us;
  }
  if (run.answered) return run;
  run.wasted_us = run.end_us - head_end_us - run.encode_us;
  const double tail_end_us = finish_us(run.end_us, cost.tail_on_device_us);
  run.tail_us = tail_end_us - run.end_us;
  run.end_us = tail_end_us;
  return run;
}

}  // namespace cleave::world
