#include "experiments/sacd/real.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "emulate/stolen_time.h"
#include "experiments/rig/edge_load.h"
#include "experiments/rig/rig.h"
#include "experiments/rig/worker.h"
#include "experiments/sacd/bench.h"
#include "experiments/sacd/contenders.h"
#include "experiments/sacd/follow.h"
#include "experiments/sacd/schedule.h"
#include "experiments/sacd/table.h"
#include "experiments/sacd/truth.h"
#include "model/graph.h"

namespace cleave::experiments::sacd {
namespace {

using rig::Rig;
using rig::Sample;
using rig::Worker;

constexpr std::int64_t kEdgeUs = 60'000'000;
constexpr double kCalibrationBps = 100e6;
constexpr int kSlowRuns = 8;
constexpr auto kSettle = std::chrono::seconds(3);

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
    if (load_ != nullptr) real_.edge_load = load_->Stop();
    return std::move(real_);
  }

 private:
  void Say(const std::string& line) const {
    if (options_.on_progress) options_.on_progress(line);
  }

  absl::Status Prepare() {
    const world::EnvironmentOptions& env = environment_.options();
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options_.model));
    CLEAVE_ASSIGN_OR_RETURN(
        rig_, rig::Rig::Create({.program = options_.program,
                                .folder = options_.folder,
                                .device_share = options_.device_share,
                                .slow_by = options_.cpu_quota ? rig::RigOptions::SlowBy::kQuota
                                                              : rig::RigOptions::SlowBy::kBusyCore,
                                .changing_share = true,
                                .device_cache = CacheDir(),
                                .force_relay = options_.force_relay,
                                .delay_us = std::llround(env.world.link.rtt_us / 2),
                                .seed = options_.seed}));
    CLEAVE_RETURN_IF_ERROR(rig_->SetRate(kCalibrationBps));
    CLEAVE_RETURN_IF_ERROR(rig_->StartEdge({options_.model}));
    for (int exit = 0; exit < graph->exit_count(); ++exit) {
      CLEAVE_RETURN_IF_ERROR(
          rig_->WarmEdgeProfile(graph->name(), graph->digest(), exit, environment_.table().batch));
    }
    Say("opening the devices");
    const Timing timed{.deadline_us = std::llround(options_.deadline_us)};
    CLEAVE_ASSIGN_OR_RETURN(timed_, StartWorker(timed));
    CLEAVE_ASSIGN_OR_RETURN(exact_, StartWorker(timed));
    CLEAVE_ASSIGN_OR_RETURN(untimed_, StartWorker({}));
    if (options_.max_miss) {
      CLEAVE_ASSIGN_OR_RETURN(
          hedged_, StartWorker({.deadline_us = timed.deadline_us, .max_miss = options_.max_miss}));
    }
    for (std::size_t i = 0; i < options_.learned.size(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(learned_.emplace_back(), StartWorker(timed));
    }
    std::this_thread::sleep_for(kSettle);
    if (env.world.queue.kind == world::QueueKind::kOthers) {
      CLEAVE_ASSIGN_OR_RETURN(load_, rig::EdgeLoad::Start({.edge = rig_->edge_here(),
                                                           .model = options_.model,
                                                           .utilization = env.world.queue.load(),
                                                           .seed = options_.seed}));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Bench bench,
                            MeasureBench(*rig_, *untimed_, environment_, TermsOfBench()));
    truth_ = std::make_unique<Truth>(environment_.table(), environment_.rows(), env, bench.figures,
                                     std::sqrt(bench.rule.low * bench.rule.high));
    CLEAVE_RETURN_IF_ERROR(SlowDown(bench.rule));
    Describe(bench);
    MakeContenders();
    rule_ = bench.rule;
    follower_ = std::make_unique<WorldFollower>(*rig_, env.world, rule_);
    return absl::OkStatus();
  }

  // What a device is told of time, as DeviceOptions has it.
  struct Timing {
    std::optional<std::int64_t> deadline_us;
    std::optional<double> max_miss;
  };

  absl::StatusOr<std::unique_ptr<rig::Worker>> StartWorker(const Timing& timing) {
    rig::WorkerOptions worker;
    worker.model = options_.model;
    worker.batch = environment_.table().batch;
    worker.data = options_.data;
    worker.cuts = options_.cuts;
    worker.encodings = options_.encodings;
    worker.threads = options_.threads;
    worker.remote_timeout_us = environment_.options().remote_timeout_us;
    worker.deadline_us = timing.deadline_us;
    worker.max_miss = timing.max_miss;
    CLEAVE_ASSIGN_OR_RETURN(std::unique_ptr<rig::Worker> started,
                            rig_->StartWorker(std::move(worker)));
    CLEAVE_RETURN_IF_ERROR(started->WaitForEdge(kEdgeUs));
    if (started->info().digest == environment_.model_digest()) return started;
    return absl::FailedPreconditionError(
        absl::StrCat(options_.model, ": SHA-256 ", started->info().digest,
                     ", expected the environment's ", environment_.model_digest()));
  }

  // Has every device meet its share before the courses do: one that only sends never would.
  absl::Status SlowDown(const ShareRule& rule) {
    CLEAVE_RETURN_IF_ERROR(rig_->SetDeviceShare(rule.Share(rule.low)));
    const Workers workers = AllWorkers();
    std::vector<rig::Worker*> all = workers.learned;
    all.insert(all.end(), {workers.timed, workers.exact, workers.untimed, workers.hedged});
    for (rig::Worker* const worker : all) {
      for (int i = 0; worker != nullptr && i < kSlowRuns; ++i) {
        CLEAVE_RETURN_IF_ERROR(worker->Infer("device", i).status());
      }
    }
    return absl::OkStatus();
  }

  BenchTerms TermsOfBench() const {
    return {.device_share = options_.device_share,
            .beat_us = BeatUs(),
            .courses = CourseSeeds(),
            .course_us = BeatUs() * (options_.warmup + options_.block)};
  }

  void Describe(const Bench& bench) {
    const world::EnvironmentOptions& env = environment_.options();
    real_.model = options_.model;
    real_.data = options_.data;
    real_.link = rig_->link_name();
    real_.traces.reserve(env.world.link.traces.size());
    for (const world::TracePair& pair : env.world.link.traces) real_.traces.push_back(pair.name);
    real_.batch = environment_.table().batch;
    real_.deadline_us = options_.deadline_us;
    real_.device_share = options_.device_share;
    real_.device_slowed = rig_->share_enforced();
    real_.block = options_.block;
    real_.warmup = options_.warmup;
    real_.seed = options_.seed;
    real_.notes = rig_->notes();
    real_.notes.push_back(
        absl::StrFormat("the link's rate changes every %d ms to the mean of its course, is never "
                        "below %.0f kbit/s, "
                        "and each change lets one packet pass at once",
                        WorldFollower::kStepUs / 1000, WorldFollower::kLeastBps / 1e3));
    real_.notes.push_back(
        absl::StrFormat("the delay is a relay's beside the edge and does not vary; the round trip "
                        "was %.2f ms as the "
                        "device measured it on a fast link, where the environment says %.2f ms",
                        bench.figures.rtt_us / 1e3, env.world.link.rtt_us / 1e3));
    real_.notes.push_back(absl::StrFormat(
        "at full speed before the run, with the same pauses, the device took %.2f and the edge "
        "%.2f "
        "times what their profiles say; oracle and replay take the medians of what was measured "
        "lately",
        bench.figures.full_speed_slowdown, bench.figures.edge_slowdown));
    if (rig_->share_enforced()) {
      real_.notes.push_back(absl::StrFormat(
          "a share for slow-down %.1f slowed it %.2f times as much as it should, one for %.1f %.2f "
          "times; shares are larger by that, and corrected after each cycle",
          bench.rule.low, bench.rule.low_cost, bench.rule.high, bench.rule.high_cost));
    }
    real_.notes.push_back(
        rig_->slowed_by() == rig::RigOptions::SlowBy::kBusyCore
            ? "the device gets its share beside real-time work on its core, which takes the rest "
              "of every 2 ms while an inference runs"
            : "the device's CPU share is a quota that the kernel enforces in periods of at least 4 "
              "ms and 1 ms of running, so its times are lumpy");
    real_.notes.push_back(
        "dynamic split (which has no deadline), the exact search, the hedged policy and each "
        "learned one have a device process of their own; the others share one and what it has "
        "learned of link and machines. All stay awake and probe the link for themselves");
    real_.notes.push_back(
        "the oracle knows the courses of link and CPU but neither the kernel's lumps nor what "
        "waits "
        "at the edge");
    real_.notes.push_back(
        "accuracy is measured against the labels, in the reward too, where it is an unbiased "
        "estimate of the plan's");
    if (env.world.edge.kind != world::MachineKind::kConstant) {
      real_.notes.push_back("the edge's own slow-downs of the environment are not carried out");
    }
  }

  Workers AllWorkers() const {
    Workers workers{.timed = timed_.get(),
                    .exact = exact_.get(),
                    .untimed = untimed_.get(),
                    .hedged = hedged_.get()};
    for (const auto& worker : learned_) workers.learned.push_back(worker.get());
    return workers;
  }

  void MakeContenders() {
    const Workers workers = AllWorkers();
    const int fixed =
        BestFixedRow(*truth_, environment_.table(), environment_.rows(), CourseSeeds(),
                     options_.warmup + options_.block, BeatUs(), options_.deadline_us);
    real_.best_fixed = PlanText(environment_.table().plans[static_cast<std::size_t>(fixed)].plan);
    contenders_ = sacd::MakeContenders(environment_, workers, options_, fixed, *truth_);
    played_.reserve(contenders_.size());
    for (const Contender& contender : contenders_)
      played_.push_back({contender.name, contender.files, {{}}});
  }

  // One course for each cycle.
  std::uint64_t CourseSeed(int cycle) const {
    return options_.seed * 1'000'003 + static_cast<std::uint64_t>(cycle);
  }

  std::vector<std::uint64_t> CourseSeeds() const {
    std::vector<std::uint64_t> seeds;
    seeds.reserve(static_cast<std::size_t>(options_.cycles()));
    for (int cycle = 0; cycle < options_.cycles(); ++cycle) seeds.push_back(CourseSeed(cycle));
    return seeds;
  }

  double BeatUs() const {
    const world::EnvironmentOptions& env = environment_.options();
    return std::max(env.interval_us, env.pause_us);
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
    if (!rig_->share_enforced()) return;
    rule_.low_cost *= truth_->TakeDeviceDrift(Truth::SlowdownClass::kLow);
    rule_.high_cost *= truth_->TakeDeviceDrift(Truth::SlowdownClass::kHigh);
    follower_->SetRule(rule_);
  }

  absl::Status Block(int cycle, Contender& contender, std::vector<Step>& steps) {
    const std::uint64_t seed = CourseSeed(cycle);
    CLEAVE_RETURN_IF_ERROR(follower_->Begin(seed));
    truth_->Begin(seed);
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
              .up_bps = truth_->UpBps(t_us),
              .device_slowdown = truth_->DeviceSlowdown(t_us)};
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
    return truth_->Run(cost, {.now_us = t_us, .entropy = entropy}).end_us - t_us +
           sample.phases.queue_us;
  }

  // What fell back or was hedged has phases of more than its plan.
  void Learn(const Sample& sample, std::int64_t begin_us) {
    const PlanCost* const row = RowOf(sample);
    if (row == nullptr || !sample.fallback.empty() || sample.hedged) return;
    const rig::Phases& took = sample.phases;
    truth_->Learn(*row, static_cast<double>(sample.start_us - begin_us),
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
  std::unique_ptr<rig::Rig> rig_;
  std::unique_ptr<rig::Worker> timed_, exact_, untimed_, hedged_;
  std::vector<std::unique_ptr<rig::Worker>> learned_;
  std::unique_ptr<rig::EdgeLoad> load_;
  std::unique_ptr<Truth> truth_;
  ShareRule rule_;
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
