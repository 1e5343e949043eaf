#ifndef CLEAVE_TESTS_WORLD_ENVIRONMENT_TABLES_H_
#define CLEAVE_TESTS_WORLD_ENVIRONMENT_TABLES_H_

#include <memory>
#include <utility>

#include "world/simulated_environment.h"

namespace cleave::testing {

struct Row {
  Plan plan;
  double head_us, encode_us, bytes_up, tail_us, accuracy;
};

// Two exits; of each the input, one cut in two encodings, and the device.
inline std::shared_ptr<const PlanTable> SmallTable() {
  constexpr double kLastHere = 40'000;
  constexpr double kFirstHere = 10'000;
  auto table = std::make_shared<PlanTable>();
  table->best_accuracy = 0.9;
  const Row rows[] = {
      {{0, 3, Encoding::kFp32}, kFirstHere, 0, 0, 0, 0.7},
      {{1, 0, Encoding::kFp32}, 0, 10, 60'000, 4'000, 0.9},
      {{1, 0, Encoding::kJpeg}, 0, 10, 9'000, 4'200, 0.9},
      {{1, 2, Encoding::kFp32}, 8'000, 20, 30'000, 2'500, 0.9},
      {{1, 2, Encoding::kQ8}, 8'000, 40, 8'000, 2'500, 0.895},
      {{1, 2, Encoding::kQ4}, 8'000, 40, 4'000, 2'500, 0.87},
      {{1, 2, Encoding::kQ2}, 8'000, 40, 4'000, 2'500, 0.5},  // Worse than the one above.
      {{1, 5, Encoding::kFp32}, kLastHere, 0, 0, 0, 0.9},
  };
  for (const Row& row : rows) {
    PlanCost cost;
    cost.plan = row.plan;
    cost.head_us = row.head_us;
    cost.encode_us = row.encode_us;
    cost.bytes_up = row.bytes_up;
    cost.bytes_down = row.bytes_up > 0 ? 300 : 0;
    cost.tail_us = row.tail_us;
    cost.tail_on_device_us = (row.plan.exit == 0 ? kFirstHere : kLastHere) - row.head_us;
    cost.accuracy = row.accuracy;
    cost.exact = row.plan.exit == 1 && IsExact(row.plan.encoding);
    table->plans.push_back(cost);
  }
  return table;
}

// A link that fades, a device that is busy at times, an edge that others use.
inline world::EnvironmentOptions LivelyOptions() {
  world::EnvironmentOptions options;
  options.inferences = 64;
  options.interval_us = 60'000;
  options.deadline_low_us = 20'000;
  options.deadline_high_us = 80'000;
  options.world.link.kind = world::LinkKind::kChannel;
  options.world.link.channel.correlation_ms = 400;
  options.world.link.rtt_us = 5'000;
  options.world.device.kind = world::MachineKind::kMarkov;
  options.world.device.mean_busy_ms = 800;
  options.world.device.mean_idle_ms = 1'000;
  options.world.queue.kind = world::QueueKind::kOthers;
  return options;
}

inline std::unique_ptr<world::SimulatedEnvironment> MakeEnvironment(
    world::EnvironmentOptions options) {
  return world::SimulatedEnvironment::Create(SmallTable(), "digest", std::move(options)).value();
}

}  // namespace cleave::testing

#endif  // CLEAVE_TESTS_WORLD_ENVIRONMENT_TABLES_H_
