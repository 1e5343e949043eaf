#include "world/environment_file.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/status_macros.h"
#include "world/toml_section.h"

namespace cleave::world {
namespace {

using Bounds = TomlSection::Bounds;
using Pairs = std::vector<std::pair<double, double>>;

constexpr double kUsPerMs = 1e3;
constexpr Bounds kMs = {1, 1e9, 1};
constexpr Bounds kShare = {0, 1, 1};
constexpr Bounds kDeviation = {0, 2, 1};
constexpr Bounds kSlowdown = {0.01, 1000, 1};
constexpr Bounds kWeight = {0, 1e6, 1};

void ReadModel(TomlSection section, EnvironmentFile& file) {
  if (!section.Has("file")) section.Fail("file", "nothing", "the path of an ONNX model");
  section.Text("file", file.model);
  section.Text("device_profile", file.device_profile);
  section.Texts("edge_profiles", file.edge_profiles);
  section.Text("cuts", file.cuts);
  section.Text("encodings", file.encodings);
  std::int64_t threads = file.threads;
  section.Whole("batch", 1, 4096, file.batch);
  section.Whole("threads", 1, 256, threads);
  file.threads = static_cast<int>(threads);
  section.Number("picture_bytes", {0, 1e9}, file.picture_bytes);
  section.Number("picture_us", {0, 1e9}, file.picture_us);
  section.Finish();
}

void ReadEpisode(TomlSection section, EnvironmentOptions& options) {
  std::int64_t inferences = options.inferences;
  auto timeout_us = static_cast<double>(options.remote_timeout_us);
  section.Whole("inferences", 1, 1'000'000, inferences);
  section.Number("interval_ms", {0, 1e6, kUsPerMs}, options.interval_us);
  section.Number("pause_ms", {0, 1e6, kUsPerMs}, options.pause_us);
  section.Range("deadline_ms", {0.1, 1e6, kUsPerMs}, options.deadline_low_us,
                options.deadline_high_us);
  section.Number("remote_timeout_ms", {1, 1e5, kUsPerMs}, timeout_us);
  options.inferences = static_cast<int>(inferences);
  options.remote_timeout_us = std::llround(timeout_us);
  section.Finish();
}

void ReadReward(TomlSection section, RewardOptions& reward) {
  section.Number("latency_weight", kWeight, reward.latency_weight);
  section.Number("latency_cap", kWeight, reward.latency_cap);
  section.Number("miss_penalty", kWeight, reward.miss_penalty);
  section.Number("energy_weight", kWeight, reward.energy_weight);
  section.Number("compute_w", kWeight, reward.compute_w);
  section.Number("radio_w", kWeight, reward.radio_w);
  section.Number("idle_w", kWeight, reward.idle_w);
  section.Finish();
}

void ReadOptional(TomlSection& section, absl::string_view key, const Bounds& bounds,
                  std::optional<double>& to) {
  if (section.Has(key)) section.Number(key, bounds, to.emplace());
}

void ReadConstraints(TomlSection section, Constraints& constraints) {
  section.Bool("no_raw_input", constraints.no_raw_input);
  ReadOptional(section, "max_device_ms", {0, 1e9, kUsPerMs}, constraints.max_device_us);
  ReadOptional(section, "min_accuracy", kShare, constraints.min_accuracy);
  ReadOptional(section, "accuracy_drop", kShare, constraints.accuracy_drop);
  section.Finish();
}

void ReadChannel(TomlSection& section, ChannelOptions& channel) {
  section.Number("bandwidth_hz", {1e3, 1e11}, channel.bandwidth_hz);
  section.Number("block_ms", {0.1, 1e6}, channel.block_ms);
  if (section.Has("distance_m")) {
    section.Number("distance_m", {1, 1e6}, channel.distance_m.emplace());
    section.Number("power_dbm", {-50, 80}, channel.power_dbm);
    section.Number("noise_dbm_hz", {-210, -100}, channel.noise_dbm_hz);
    section.Number("loss_1m_db", {0, 120}, channel.loss_1m_db);
    section.Number("loss_exponent", {1, 8}, channel.loss_exponent);
  } else {
    section.Number("snr_db", {-30, 60}, channel.snr_db);
  }
}

void ReadSteps(TomlSection& section, LinkOptions& link) {
  Pairs steps;
  section.Pairs("steps", kMs, {1e-3, 1e6, 1e6}, steps);
  if (!section.Has("steps")) section.Fail("steps", "nothing", "a list of [ms, Mbit/s]");
  link.steps.clear();
  for (const auto& [duration_ms, bps] : steps) link.steps.push_back({duration_ms, bps});
}

EnvironmentFile::Traces ReadTraces(TomlSection section) {
  EnvironmentFile::Traces traces;
  section.Texts("up", traces.up);
  section.Texts("down", traces.down);
  if (traces.up.empty()) section.Fail("up", "nothing", "trace files");
  section.Finish();
  return traces;
}

void ReadLink(TomlSection section, EnvironmentFile& file) {
  enum { kTraces, kRayleigh, kGaussMarkov, kSteps };
  LinkOptions& link = file.options.world.link;
  int kind = kSteps;
  if (!section.Has("kind")) section.Fail("kind", "nothing", "the kind of link");
  section.Choice("kind", {"traces", "rayleigh", "gauss-markov", "steps"}, kind);
  link.kind = kind == kTraces  ? LinkKind::kTraces
              : kind == kSteps ? LinkKind::kSteps
                               : LinkKind::kChannel;
  section.Number("rtt_ms", {1e-3, 1e4, kUsPerMs}, link.rtt_us);
  section.Number("rtt_jitter", kDeviation, link.rtt_jitter);
  section.Number("outage_every_s", {0.01, 1e6}, link.outage_every_s);
  section.Number("outage_mean_ms", kMs, link.outage_mean_ms);
  if (kind != kTraces) section.Number("down_ratio", {1e-3, 1e3}, link.down_ratio);
  if (kind == kTraces) {
    file.training = ReadTraces(section.Section("training"));
    file.held_out = ReadTraces(section.Section("held_out"));
  } else if (kind == kSteps) {
    ReadSteps(section, link);
  } else {
    ReadChannel(section, link.channel);
  }
  if (kind == kGaussMarkov) {
    link.channel.correlation_ms = 500;
    section.Number("correlation_ms", kMs, link.channel.correlation_ms);
  }
  section.Finish();
}

// Keys of a machine; what else the section has is the caller's to read.
void ReadMachine(TomlSection& section, MachineOptions& machine) {
  enum { kConstant, kMarkov, kWalk, kRecorded };
  int kind = kConstant;
  section.Choice("kind", {"constant", "markov", "walk", "recorded"}, kind);
  machine.kind = static_cast<MachineKind>(kind);
  section.Number("run_jitter", kDeviation, machine.run_jitter);
  if (kind == kConstant || kind == kMarkov) {
    section.Number("slowdown", kSlowdown, machine.slowdown);
  }
  if (kind == kMarkov) {
    section.Number("busy_slowdown", kSlowdown, machine.busy_slowdown);
    section.Number("mean_idle_ms", kMs, machine.mean_idle_ms);
    section.Number("mean_busy_ms", kMs, machine.mean_busy_ms);
  }
  if (kind == kWalk) {
    section.Range("slowdown", kSlowdown, machine.walk_low, machine.walk_high);
    section.Number("step", {0, 10}, machine.walk_step);
    section.Number("step_ms", kMs, machine.walk_ms);
  }
  if (kind == kRecorded) {
    Pairs pairs;
    section.Pairs("recorded", kMs, kSlowdown, pairs);
    if (!section.Has("recorded")) section.Fail("recorded", "nothing", "a list of [ms, slow-down]");
    for (const auto& [ms, slowdown] : pairs) machine.recorded.push_back({ms, slowdown});
  }
}

void ReadQueue(TomlSection section, EdgeQueueOptions& queue) {
  enum { kEmpty, kOthers, kRecorded };
  int kind = kEmpty;
  section.Choice("kind", {"empty", "others", "recorded"}, kind);
  queue.kind = static_cast<QueueKind>(kind);
  if (kind == kOthers) {
    section.Number("arrivals_per_s", {1e-3, 1e5}, queue.arrivals_per_s);
    section.Number("service_ms", {1e-3, 1e6}, queue.service_ms);
    section.Number("service_cv", {0, 5}, queue.service_cv);
  }
  if (kind == kRecorded) {
    Pairs pairs;
    section.Pairs("recorded", kMs, {0, 1e6, kUsPerMs}, pairs);
    if (!section.Has("recorded")) section.Fail("recorded", "nothing", "a list of [ms, ms]");
    for (const auto& [ms, wait_us] : pairs) queue.recorded.push_back({ms, wait_us});
  }
  section.Finish();
}

}  // namespace

absl::StatusOr<EnvironmentFile> EnvironmentFile::Parse(absl::string_view toml,
                                                       const std::string& origin) {
  CLEAVE_ASSIGN_OR_RETURN(TomlDocument document, TomlDocument::Parse(toml, origin));
  EnvironmentFile file;
  EnvironmentOptions& options = file.options;
  TomlSection root = document.Root();
  ReadModel(root.Section("model"), file);
  ReadEpisode(root.Section("episode"), options);
  ReadReward(root.Section("reward"), options.reward);
  ReadConstraints(root.Section("constraints"), options.constraints);
  ReadLink(root.Section("link"), file);
  TomlSection device = root.Section("device");
  ReadMachine(device, options.world.device);
  device.Finish();
  TomlSection edge = root.Section("edge");
  ReadMachine(edge, options.world.edge);
  ReadQueue(edge.Section("queue"), options.world.queue);
  edge.Finish();
  root.Finish();
  CLEAVE_RETURN_IF_ERROR(document.status());
  // Traces are checked where they are loaded.
  EnvironmentOptions checked = options;
  if (checked.world.link.kind == LinkKind::kTraces) checked.world.link.kind = LinkKind::kSteps;
  const absl::Status status = checked.Validate();
  if (status.ok()) return file;
  return absl::InvalidArgumentError(absl::StrCat(origin, ": ", status.message()));
}

}  // namespace cleave::world
