#include "experiments/sacd/bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <tuple>
#include <utility>

#include "core/statistics.h"
#include "core/status_macros.h"
#include "experiments/dsc/results.h"

namespace cleave::experiments::sacd {
namespace {

using rig::Sample;

constexpr int kRuns = 12;
constexpr int kRounds = 3;  // What a share costs depends on the share.

class Measuring {
 public:
  Measuring(rig::Rig& rig, rig::Worker& device, const world::SimulatedEnvironment& environment,
            const BenchTerms& terms)
      : rig_(rig), device_(device), environment_(environment), terms_(terms) {}

  absl::StatusOr<Bench> Run() {
    Bench bench;
    CLEAVE_RETURN_IF_ERROR(rig_.SetDeviceShare(1));
    CLEAVE_RETURN_IF_ERROR(MeasureEdge(bench.figures));
    CLEAVE_ASSIGN_OR_RETURN(bench.figures.full_speed_slowdown, MeasureDevice());
    bench.figures.device_slowdown = bench.figures.full_speed_slowdown;
    bench.rule.base_share = terms_.device_share;
    if (!rig_.share_enforced()) return bench;
    bench.figures.device_slowdown = 1 / terms_.device_share;
    CLEAVE_RETURN_IF_ERROR(MeasureShares(bench.rule));
    return bench;
  }

 private:
  absl::StatusOr<Sample> Infer(const std::string& spec, int item) {
    std::this_thread::sleep_for(std::chrono::microseconds(std::llround(terms_.beat_us)));
    return device_.Infer(spec, item);
  }

  absl::Status MeasureEdge(BenchFigures& figures) {
    std::vector<double> rtt_us;
    std::vector<double> slowdown;
    for (int i = 0; i < kRuns; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const Sample sample, Infer("edge", i));
      rtt_us.push_back(sample.rtt_us);
      slowdown.push_back(sample.phases.tail_us / WholeTailUs());
    }
    figures.rtt_us = Median(rtt_us);
    figures.edge_slowdown = Median(slowdown);
    return absl::OkStatus();
  }

  // The whole model's on the edge, as the environment has it.
  double WholeTailUs() const {
    const std::vector<PlanCost>& plans = environment_.table().plans;
    const auto whole = std::find_if(plans.begin(), plans.end(), [&](const PlanCost& cost) {
      return cost.plan == Plan{plans.back().plan.exit, 0, Encoding::kFp32};
    });
    return whole == plans.end() ? plans.back().head_us : whole->tail_us;
  }

  // The device's time / what its profile says.
  absl::StatusOr<double> MeasureDevice() {
    std::vector<double> slowdown;
    for (int i = 0; i < kRuns; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const Sample sample, Infer("device", i));
      slowdown.push_back((sample.phases.prepare_us + sample.phases.head_us) /
                         environment_.table().plans.back().head_us);
    }
    return Median(slowdown);
  }

  absl::Status MeasureShares(ShareRule& rule) {
    std::tie(rule.low, rule.high) = SlowdownRange();
    for (int round = 0; round < kRounds; ++round) {
      for (const bool high : {false, true}) {
        const double share = rule.Share(high ? rule.high : rule.low);
        CLEAVE_RETURN_IF_ERROR(rig_.SetDeviceShare(share));
        CLEAVE_ASSIGN_OR_RETURN(const double slowdown, MeasureDevice());
        (high ? rule.high_cost : rule.low_cost) = slowdown * share;
      }
    }
    return absl::OkStatus();
  }

  std::pair<double, double> SlowdownRange() const {
    double low = std::numeric_limits<double>::infinity();
    double high = 0;
    for (const std::uint64_t seed : terms_.courses) {
      world::World world(environment_.options().world, seed);
      for (double t_us = 0; t_us <= terms_.course_us; t_us += WorldFollower::kStepUs) {
        const double slowdown = world.device.SlowdownAt(t_us);
        low = std::min(low, slowdown);
        high = std::max(high, slowdown);
      }
    }
    return {low, high};
  }

  rig::Rig& rig_;
  rig::Worker& device_;
  const world::SimulatedEnvironment& environment_;
  const BenchTerms& terms_;
};

}  // namespace

absl::StatusOr<Bench> MeasureBench(rig::Rig& rig, rig::Worker& device,
                                   const world::SimulatedEnvironment& environment,
                                   const BenchTerms& terms) {
  return Measuring(rig, device, environment, terms).Run();
}

}  // namespace cleave::experiments::sacd
