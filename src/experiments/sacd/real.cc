#include "experiments/sacd/real.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/status_macros.h"
#include "emulate/stolen_time.h"
#include "experiments/rig/worker.h"
#include "experiments/sacd/contenders.h"
#include "experiments/sacd/follow.h"
#include "experiments/sacd/real_setup.h"
#include "experiments/sacd/schedule.h"
#include "experiments/sacd/table.h"
#include "experiments/sacd/truth.h"

namespace cleave::experiments::sacd {
namespace {

using rig::Sample;

class RealRun {
 public:
  RealRun(world::SimulatedEnvironment& environment, const RealOptions& options)
      : environment_(environment), options_(options) {}

  absl::StatusOr<Real> Run() {
    CLEAVE_RETURN_IF_ERROR(Prepare());
    const int cycles = options_.cycles();
    const auto order = DrawOrder(static_cast<int>(contenders_.size()), cycles, options_.seed);
    for (int cycle = 0; cycle < cycles; ++cycle) {
      const absl::Status status = QuietCycle(cycle, order[static_cast<std::size_t>(cycle)]);
      if (absl::IsCancelled(status)) break;
      CLEAVE_RETURN_IF_ERROR(status);
      real_.complete = cycle + 1 == cycles;
      Conclude();
      Say(absl::StrFormat("cycle %d of %d", cycle + 1, cycles));
      if (options_.on_cycle) CLEAVE_RETURN_IF_ERROR(options_.on_cycle(real_));
    }
    if (setup_.load != nullptr) real_.edge_load = setup_.load->Stop();
    return std::move(real_);
  }

 private:
  void Say(const std::string& line) const {
    if (options_.on_progress) options_.on_progress(line);
  }

  absl::Status Prepare() {
    CLEAVE_ASSIGN_OR_RETURN(setup_, SetUpReal(environment_, options_));
    real_ = std::move(setup_.description);
    MakeContenders();
    follower_ =
        std::make_unique<WorldFollower>(*setup_.rig, environment_.options().world, setup_.rule);
    return absl::OkStatus();
  }

  void MakeContenders() {
    const Workers workers = setup_.workers();
    const int fixed = BestFixedRow(*setup_.truth, environment_.table(), environment_.rows(),
                                   CourseSeeds(options_), options_.warmup + options_.block,
                                   BeatUs(environment_), options_.deadline_us);
    real_.best_fixed = PlanText(environment_.table().plans[static_cast<std::size_t>(fixed)].plan);
    contenders_ = sacd::MakeContenders(environment_, workers, options_, fixed, *setup_.truth);
    played_.reserve(contenders_.size());
    for (const Contender& contender : contenders_)
      played_.push_back({contender.name, contender.files, {{}}});
  }

  // Whole cycles only, so that what is compared was measured together.
  using Blocks = std::vector<std::vector<Step>>;

  absl::Status QuietCycle(int cycle, const std::vector<int>& order) {
    while (true) {
      CLEAVE_ASSIGN_OR_RETURN(const emulate::ProcessorTime before, emulate::ReadProcessorTime());
      CLEAVE_ASSIGN_OR_RETURN(const Blocks blocks, Cycle(cycle, order));
      CLEAVE_ASSIGN_OR_RETURN(const emulate::ProcessorTime after, emulate::ReadProcessorTime());
      const double stolen = emulate::StolenShare(before, after);
      MakeUpForDrift();
      if (stolen <= kMostStolen || real_.repeated_cycles >= options_.cycles()) {
        Keep(blocks);
        const double before_share = real_.stolen_share.value_or(0);
        real_.stolen_share = before_share + (stolen - before_share) / (cycle + 1);
        return absl::OkStatus();
      }
      ++real_.repeated_cycles;
      Say(absl::StrFormat("cycle %d again: a hypervisor took %.1f%% of the processor's time",
                          cycle + 1, 100 * stolen));
    }
  }

  absl::StatusOr<Blocks> Cycle(int cycle, const std::vector<int>& order) {
    Blocks blocks(contenders_.size());
    for (const int contender : order) {
      const auto i = static_cast<std::size_t>(contender);
      CLEAVE_RETURN_IF_ERROR(Block(cycle, contenders_[i], blocks[i]));
    }
    return blocks;
  }

  void Keep(const Blocks& blocks) {
    for (std::size_t i = 0; i < contenders_.size(); ++i) {
      auto& steps = played_[i].steps.front();
      steps.insert(steps.end(), blocks[i].begin(), blocks[i].end());
    }
  }

  // What a share really does changes with what else goes on in the machine.
  void MakeUpForDrift() {
    if (!setup_.rig->share_enforced()) return;
    setup_.rule.low_cost *= setup_.truth->TakeDeviceDrift(Truth::SlowdownClass::kLow);
    setup_.rule.high_cost *= setup_.truth->TakeDeviceDrift(Truth::SlowdownClass::kHigh);
    follower_->SetRule(setup_.rule);
  }

  absl::Status Block(int cycle, Contender& contender, std::vector<Step>& steps) {
    const std::uint64_t seed = CourseSeed(options_, cycle);
    CLEAVE_RETURN_IF_ERROR(follower_->Begin(seed));
    setup_.truth->Begin(seed);
    const std::int64_t begin_us = follower_->start_us();
    auto due_us = static_cast<double>(begin_us);
    for (int i = 0; i < options_.warmup + options_.block; ++i) {
      if (options_.cancel.cancelled()) return absl::CancelledError("stopped");
      const double wait_us = due_us - static_cast<double>(Clock::Steady().NowUs());
      std::this_thread::sleep_for(
          std::chrono::microseconds(std::max<std::int64_t>(0, std::llround(wait_us))));
      const auto now_us = static_cast<double>(Clock::Steady().NowUs());
      const std::int64_t item = std::int64_t{cycle} * options_.block + i;
      CLEAVE_ASSIGN_OR_RETURN(
          const Sample sample,
          contender.worker->Infer(contender.choose(now_us - static_cast<double>(begin_us)), item));
      if (contender.learn) contender.learn(sample);
      if (i >= options_.warmup) steps.push_back(ToStep(cycle, sample, begin_us));
      Learn(sample, begin_us);
      const world::EnvironmentOptions& env = environment_.options();
      due_us = std::max(now_us + env.interval_us,
                        static_cast<double>(Clock::Steady().NowUs()) + env.pause_us);
    }
    return absl::OkStatus();
  }

  Step ToStep(int cycle, const Sample& sample, std::int64_t begin_us) {
    const auto t_us = static_cast<double>(sample.start_us - begin_us);
    const double batch = static_cast<double>(environment_.table().batch);
    const bool on_device = sample.where == Where::kDevice;
    Step step{.unit = cycle,
              .t_us = sample.start_us - begin_us,
              .exit = sample.exit,
              .cut = sample.cut,
              .encoding = sample.encoding,
              .where = sample.where,
              .reason = sample.reason,
              .fallback = sample.fallback,
              .hedged = sample.hedged,
              .hedge_won = sample.hedge_won,
              .latency_us = sample.latency_us,
              .predicted_us = sample.predicted_us,
              .accuracy = sample.right.value_or(0) / batch,
              .expected_accuracy = sample.accuracy.value_or(-1),
              .bytes_up = sample.bytes_up,
              .deadline_us = options_.deadline_us,
              .miss_chance = sample.miss_chance,
              .up_bps = setup_.truth->UpBps(t_us),
              .device_slowdown = setup_.truth->DeviceSlowdown(t_us)};
    step.reward = Reward({.accuracy = step.accuracy,
                          .latency_us = step.latency_us,
                          .deadline_us = step.deadline_us,
                          .device_us = sample.phases.head_us + sample.phases.encode_us +
                                       (on_device ? sample.phases.tail_us : 0),
                          .radio_us = sample.phases.uplink_us + sample.phases.downlink_us},
                         environment_.options().reward);
    step.replayed_us = ReplayUs(sample, t_us);
    return step;
  }

  // Null where the table has no such plan.
  const PlanCost* RowOf(const Sample& sample) const {
    const std::vector<PlanCost>& plans = environment_.table().plans;
    const auto row = std::find_if(plans.begin(), plans.end(), [&](const PlanCost& cost) {
      return cost.plan.cut == sample.cut && cost.plan.exit == sample.exit &&
             cost.plan.encoding == sample.encoding;
    });
    return row == plans.end() ? nullptr : &*row;
  }

  // 0 where the table has no such plan.
  double ReplayUs(const Sample& sample, double t_us) {
    const PlanCost* const row = RowOf(sample);
    if (row == nullptr) return 0;
    PlanCost cost = *row;
    const bool entropy = row->entropy_bytes_up > 0 && sample.bytes_up > 0 &&
                         std::abs(sample.bytes_up - row->entropy_bytes_up) <
                             std::abs(sample.bytes_up - row->bytes_up);
    if (row->remote() && sample.bytes_up > 0) {
      (entropy ? cost.entropy_bytes_up : cost.bytes_up) = sample.bytes_up;
    }
    return setup_.truth->Run(cost, {.now_us = t_us, .entropy = entropy}).end_us - t_us +
           sample.phases.queue_us;
  }

  // What fell back or was hedged has phases of more than its plan.
  void Learn(const Sample& sample, std::int64_t begin_us) {
    const PlanCost* const row = RowOf(sample);
    if (row == nullptr || !sample.fallback.empty() || sample.hedged) return;
    const rig::Phases& took = sample.phases;
    setup_.truth->Learn(*row, static_cast<double>(sample.start_us - begin_us),
                        took.decide_us + took.prepare_us + took.head_us,
                        row->remote() ? took.tail_us : 0);
  }

  void Conclude() {
    real_.rows = MakeRows(played_, options_.seed);
    std::vector<Step> all;
    for (const Played& played : played_) {
      const std::vector<Step>& steps = played.steps.front();
      real_.steps[played.policy] = steps;
      real_.replay[played.policy] = ReplayOf(steps);
      all.insert(all.end(), steps.begin(), steps.end());
    }
    real_.replay[""] = ReplayOf(all);
  }

  world::SimulatedEnvironment& environment_;
  const RealOptions& options_;
  Real real_;
  RealSetup setup_;
  std::unique_ptr<WorldFollower> follower_;
  std::vector<Contender> contenders_;
  std::vector<Played> played_;
};

}  // namespace

absl::Status RealOptions::Validate() const {
  std::error_code unused;
  if (!std::filesystem::is_directory(data, unused)) {
    return FieldError("data", absl::StrCat("'", data, "'"), "a folder of labelled pictures");
  }
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("inferences", inferences, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("block", block, 1));
  CLEAVE_RETURN_IF_ERROR(CheckAtLeast("warmup", warmup, 0));
  if (!(device_share > 0 && device_share <= 1)) {
    return FieldError("device_share", absl::StrCat(device_share), "above 0, at most 1");
  }
  if (!(deadline_us >= 1000 && deadline_us <= 1e9)) {
    return FieldError("deadline", absl::StrCat(deadline_us, " us"), "1 ms to 1000 s");
  }
  return CheckShare("max_miss", max_miss);
}

absl::StatusOr<Real> RunReal(world::SimulatedEnvironment& environment, const RealOptions& options) {
  CLEAVE_RETURN_IF_ERROR(options.Validate());
  return RealRun(environment, options).Run();
}

}  // namespace cleave::experiments::sacd
