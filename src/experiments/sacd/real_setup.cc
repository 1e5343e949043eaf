#include "experiments/sacd/real_setup.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/file.h"
#include "core/status_macros.h"
#include "experiments/sacd/bench.h"
#include "model/graph.h"

namespace cleave::experiments::sacd {
namespace {

constexpr std::int64_t kEdgeUs = 60'000'000;
constexpr double kCalibrationBps = 100e6;
constexpr int kSlowRuns = 8;
constexpr auto kSettle = std::chrono::seconds(3);

// What a device is told of time, as DeviceOptions has it.
struct Timing {
  std::optional<std::int64_t> deadline_us;
  std::optional<double> max_miss;
};

class SettingUp {
 public:
  SettingUp(const world::SimulatedEnvironment& environment, const RealOptions& options)
      : environment_(environment), options_(options) {}

  absl::StatusOr<RealSetup> Run() {
    const world::EnvironmentOptions& env = environment_.options();
    CLEAVE_ASSIGN_OR_RETURN(const auto graph, Graph::Load(options_.model));
    CLEAVE_ASSIGN_OR_RETURN(
        setup_.rig,
        rig::Rig::Create({.program = options_.program,
                          .folder = options_.folder,
                          .device_share = options_.device_share,
                          .slow_by = options_.cpu_quota ? rig::RigOptions::SlowBy::kQuota
                                                        : rig::RigOptions::SlowBy::kBusyCore,
                          .changing_share = true,
                          .device_cache = CacheDir(),
                          .force_relay = options_.force_relay,
                          .delay_us = std::llround(env.world.link.rtt_us / 2),
                          .seed = options_.seed}));
    CLEAVE_RETURN_IF_ERROR(setup_.rig->SetRate(kCalibrationBps));
    CLEAVE_RETURN_IF_ERROR(setup_.rig->StartEdge({options_.model}));
    for (int exit = 0; exit < graph->exit_count(); ++exit) {
      CLEAVE_RETURN_IF_ERROR(setup_.rig->WarmEdgeProfile(graph->name(), graph->digest(), exit,
                                                         environment_.table().batch));
    }
    if (options_.on_progress) options_.on_progress("opening the devices");
    const Timing timed{.deadline_us = std::llround(options_.deadline_us)};
    CLEAVE_ASSIGN_OR_RETURN(setup_.timed, StartWorker(timed));
    CLEAVE_ASSIGN_OR_RETURN(setup_.exact, StartWorker(timed));
    CLEAVE_ASSIGN_OR_RETURN(setup_.untimed, StartWorker({}));
    if (options_.max_miss) {
      CLEAVE_ASSIGN_OR_RETURN(setup_.hedged, StartWorker({.deadline_us = timed.deadline_us,
                                                          .max_miss = options_.max_miss}));
    }
    for (std::size_t i = 0; i < options_.learned.size(); ++i) {
      CLEAVE_ASSIGN_OR_RETURN(setup_.learned.emplace_back(), StartWorker(timed));
    }
    std::this_thread::sleep_for(kSettle);
    if (env.world.queue.kind == world::QueueKind::kOthers) {
      CLEAVE_ASSIGN_OR_RETURN(setup_.load,
                              rig::EdgeLoad::Start({.edge = setup_.rig->edge_here(),
                                                    .model = options_.model,
                                                    .utilization = env.world.queue.load(),
                                                    .seed = options_.seed}));
    }
    CLEAVE_ASSIGN_OR_RETURN(const Bench bench, MeasureBench(*setup_.rig, *setup_.untimed,
                                                            environment_, TermsOfBench()));
    setup_.truth =
        std::make_unique<Truth>(environment_.table(), environment_.rows(), env, bench.figures,
                                std::sqrt(bench.rule.low * bench.rule.high));
    CLEAVE_RETURN_IF_ERROR(SlowDown(bench.rule));
    setup_.rule = bench.rule;
    Describe(bench);
    return std::move(setup_);
  }

 private:
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
                            setup_.rig->StartWorker(std::move(worker)));
    CLEAVE_RETURN_IF_ERROR(started->WaitForEdge(kEdgeUs));
    if (started->info().digest == environment_.model_digest()) return started;
    return absl::FailedPreconditionError(
        absl::StrCat(options_.model, ": SHA-256 ", started->info().digest,
                     ", expected the environment's ", environment_.model_digest()));
  }

  // Has every device meet its share before the courses do: one that only sends never would.
  absl::Status SlowDown(const ShareRule& rule) {
    CLEAVE_RETURN_IF_ERROR(setup_.rig->SetDeviceShare(rule.Share(rule.low)));
    const Workers workers = setup_.workers();
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
            .beat_us = BeatUs(environment_),
            .courses = CourseSeeds(options_),
            .course_us = BeatUs(environment_) * (options_.warmup + options_.block)};
  }

  void Describe(const Bench& bench) {
    const world::EnvironmentOptions& env = environment_.options();
    Real& about = setup_.description;
    // Appended here and nowhere else, as GCC 12 gives false alarms where it inlines that.
    const auto note = [&about](absl::string_view text) { about.notes.emplace_back(text); };
    about.model = options_.model;
    about.data = options_.data;
    about.link = setup_.rig->link_name();
    about.traces.reserve(env.world.link.traces.size());
    for (const world::TracePair& pair : env.world.link.traces) about.traces.push_back(pair.name);
    about.batch = environment_.table().batch;
    about.deadline_us = options_.deadline_us;
    about.device_share = options_.device_share;
    about.device_slowed = setup_.rig->share_enforced();
    about.block = options_.block;
    about.warmup = options_.warmup;
    about.seed = options_.seed;
    about.notes = setup_.rig->notes();
    note(
        absl::StrFormat("the link's rate changes every %d ms to the mean of its course, is never "
                        "below %.0f kbit/s, "
                        "and each change lets one packet pass at once",
                        WorldFollower::kStepUs / 1000, WorldFollower::kLeastBps / 1e3));
    note(
        absl::StrFormat("the delay is a relay's beside the edge and does not vary; the round trip "
                        "was %.2f ms as the "
                        "device measured it on a fast link, where the environment says %.2f ms",
                        bench.figures.rtt_us / 1e3, env.world.link.rtt_us / 1e3));
    note(absl::StrFormat(
        "at full speed before the run, with the same pauses, the device took %.2f and the edge "
        "%.2f "
        "times what their profiles say; oracle and replay take the medians of what was measured "
        "lately",
        bench.figures.full_speed_slowdown, bench.figures.edge_slowdown));
    if (setup_.rig->share_enforced()) {
      note(absl::StrFormat(
          "a share for slow-down %.1f slowed it %.2f times as much as it should, one for %.1f %.2f "
          "times; shares are larger by that, and corrected after each cycle",
          bench.rule.low, bench.rule.low_cost, bench.rule.high, bench.rule.high_cost));
    }
    note(
        setup_.rig->slowed_by() == rig::RigOptions::SlowBy::kBusyCore
            ? "the device gets its share beside real-time work on its core, which takes the rest "
              "of every 2 ms while an inference runs"
            : "the device's CPU share is a quota that the kernel enforces in periods of at least 4 "
              "ms and 1 ms of running, so its times are lumpy");
    note(
        "dynamic split (which has no deadline), the exact search, the hedged policy and each "
        "learned one have a device process of their own; the others share one and what it has "
        "learned of link and machines. All stay awake and probe the link for themselves");
    note(
        "the oracle knows the courses of link and CPU but neither the kernel's lumps nor what "
        "waits "
        "at the edge");
    note(
        "accuracy is measured against the labels, in the reward too, where it is an unbiased "
        "estimate of the plan's");
    if (env.world.edge.kind != world::MachineKind::kConstant) {
      note("the edge's own slow-downs of the environment are not carried out");
    }
  }

  const world::SimulatedEnvironment& environment_;
  const RealOptions& options_;
  RealSetup setup_;
};

}  // namespace

Workers RealSetup::workers() const {
  Workers workers{
      .timed = timed.get(), .exact = exact.get(), .untimed = untimed.get(), .hedged = hedged.get()};
  for (const auto& worker : learned) workers.learned.push_back(worker.get());
  return workers;
}

absl::StatusOr<RealSetup> SetUpReal(const world::SimulatedEnvironment& environment,
                                    const RealOptions& options) {
  return SettingUp(environment, options).Run();
}

std::uint64_t CourseSeed(const RealOptions& options, int cycle) {
  return options.seed * 1'000'003 + static_cast<std::uint64_t>(cycle);
}

std::vector<std::uint64_t> CourseSeeds(const RealOptions& options) {
  std::vector<std::uint64_t> seeds;
  seeds.reserve(static_cast<std::size_t>(options.cycles()));
  for (int cycle = 0; cycle < options.cycles(); ++cycle) {
    seeds.push_back(CourseSeed(options, cycle));
  }
  return seeds;
}

double BeatUs(const world::SimulatedEnvironment& environment) {
  const world::EnvironmentOptions& env = environment.options();
  return std::max(env.interval_us, env.pause_us);
}

}  // namespace cleave::experiments::sacd
