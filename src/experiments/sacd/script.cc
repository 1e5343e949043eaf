#include "experiments/sacd/script.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "core/units.h"

namespace cleave::experiments::sacd {
namespace {

constexpr double kStretchMs = 5'000;
constexpr double kOutageMs = 2'000;
constexpr double kDrop = 8;  // The rate drops by this factor, and the CPU's speed by half of it.
constexpr double kNothingBps = 1e3;
constexpr int kInferences = 150;
constexpr double kLog = 0.25;  // A change of a quarter, in the logarithm.
constexpr int kRateSamples = 9;
constexpr double kMostSlowdown = 1000;
constexpr const char* kShown[] = {kDynamic, kExact, kDqn, kSacd, kOracle};

// The world before the scripts change it.
world::EnvironmentOptions Quiet(const world::EnvironmentOptions& usual, double usual_bps) {
  world::EnvironmentOptions options = usual;
  options.inferences = kInferences;
  options.deadline_low_us = options.deadline_high_us =
      std::sqrt(usual.deadline_low_us * usual.deadline_high_us);
  world::LinkOptions link;
  link.rtt_us = usual.world.link.rtt_us;
  link.rtt_jitter = usual.world.link.rtt_jitter;
  link.steps = {{kStretchMs, usual_bps}};
  options.world.link = link;
  world::MachineOptions device;
  device.slowdown = usual.world.device.kind == world::MachineKind::kWalk
                        ? usual.world.device.walk_low
                        : usual.world.device.slowdown;
  device.run_jitter = usual.world.device.run_jitter;
  options.world.device = device;
  options.world.queue.kind = world::QueueKind::kEmpty;
  return options;
}

double UsualBps(world::SimulatedEnvironment& environment, std::uint64_t seed) {
  std::vector<double> rates;
  for (int i = 0; i < kRateSamples; ++i) {
    if (!environment.Reset(seed + static_cast<std::uint64_t>(i)).ok()) continue;
    rates.push_back(environment.TruthNow(1e6).up_bps);
  }
  return std::max(kNothingBps * kDrop, Median(std::move(rates)));
}

absl::StatusOr<Timeline> PlayScript(const world::SimulatedEnvironment& environment,
                                    const Script& script, std::vector<NamedPlayer>& players,
                                    std::uint64_t seed) {
  CLEAVE_ASSIGN_OR_RETURN(const auto timed, environment.With(script.options));
  world::EnvironmentOptions options = script.options;
  options.deadline_known = false;
  CLEAVE_ASSIGN_OR_RETURN(const auto untimed, environment.With(std::move(options)));
  Timeline timeline{.name = script.name, .what = script.what};
  std::set<std::string> shown;
  for (NamedPlayer& named : players) {
    const bool wanted =
        std::find(std::begin(kShown), std::end(kShown), named.name) != std::end(kShown);
    if (!wanted || !shown.insert(named.name).second) continue;
    world::SimulatedEnvironment& world = named.player->untimed() ? *untimed : *timed;
    CLEAVE_ASSIGN_OR_RETURN(std::vector<Step> steps,
                            PlayEpisode(world, *named.player, seed, /*unit=*/0));
    if (timeline.runs.empty()) timeline.change_s = ChangesOf(steps);
    timeline.runs.push_back({named.name, std::move(steps)});
  }
  return timeline;
}

}  // namespace

std::vector<Script> Scripts(const world::EnvironmentOptions& usual, double usual_bps) {
  const world::EnvironmentOptions quiet = Quiet(usual, usual_bps);
  world::EnvironmentOptions cpu = quiet;
  const double slowdown = quiet.world.device.slowdown;
  const double slow = std::min(kMostSlowdown, slowdown * kDrop / 2);
  cpu.world.device.kind = world::MachineKind::kRecorded;
  cpu.world.device.recorded = {{kStretchMs, slowdown}, {kStretchMs, slow}};
  world::EnvironmentOptions rate = quiet;
  rate.world.link.steps = {{kStretchMs, usual_bps}, {kStretchMs, usual_bps / kDrop}};
  world::EnvironmentOptions outage = quiet;
  outage.world.link.steps = {{kStretchMs, usual_bps}, {kOutageMs, kNothingBps}};
  return {{"CPU drop",
           absl::StrFormat("the device's slow-down goes from %.3g to %.3g and back every %.0f s; "
                           "link at %s",
                           slowdown, slow, kStretchMs / 1e3, FormatRate(usual_bps)),
           cpu},
          {"rate drop",
           absl::StrFormat("the link goes from %s to %s and back every %.0f s",
                           FormatRate(usual_bps), FormatRate(usual_bps / kDrop), kStretchMs / 1e3),
           rate},
          {"outage",
           absl::StrFormat("the link at %s all but stops (%s) for %.0f s after every %.0f s",
                           FormatRate(usual_bps), FormatRate(kNothingBps), kOutageMs / 1e3,
                           kStretchMs / 1e3),
           outage}};
}

std::vector<double> ChangesOf(const std::vector<Step>& steps) {
  std::vector<double> changes;
  const auto differ = [](double a, double b) {
    return a > 0 && b > 0 && std::abs(std::log(a / b)) > kLog;
  };
  for (std::size_t i = 1; i < steps.size(); ++i) {
    const Step& before = steps[i - 1];
    if (differ(steps[i].up_bps, before.up_bps) ||
        differ(steps[i].device_slowdown, before.device_slowdown)) {
      changes.push_back(static_cast<double>(steps[i].t_us) / 1e6);
    }
  }
  return changes;
}

absl::StatusOr<std::vector<Timeline>> PlayScripts(world::SimulatedEnvironment& environment,
                                                  std::vector<NamedPlayer>& players,
                                                  std::uint64_t seed) {
  std::vector<Timeline> timelines;
  const double usual_bps = UsualBps(environment, seed);
  for (const Script& script : Scripts(environment.options(), usual_bps)) {
    CLEAVE_ASSIGN_OR_RETURN(Timeline timeline, PlayScript(environment, script, players, seed));
    timelines.push_back(std::move(timeline));
  }
  return timelines;
}

}  // namespace cleave::experiments::sacd
