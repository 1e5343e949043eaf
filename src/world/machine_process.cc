#include "world/machine_process.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/check.h"
#include "core/status_macros.h"

namespace cleave::world {
namespace {

constexpr double kUsPerMs = 1e3;
constexpr double kForEverUs = 1e15;

using Segments = SegmentCourse::Next;

Segments Constant(double slowdown) {
  return [=] { return SegmentCourse::Segment{kForEverUs, 1 / slowdown}; };
}

// Begins in the state that it is in with the stationary chance.
Segments Markov(const MachineOptions& options, Chance chance) {
  const bool begins_busy = chance.Uniform(0) < BusyShare(options);
  return [=, busy = begins_busy, index = std::int64_t{1}]() mutable {
    const double mean_ms = busy ? options.mean_busy_ms : options.mean_idle_ms;
    const double slowdown = busy ? options.busy_slowdown : options.slowdown;
    busy = !busy;
    return SegmentCourse::Segment{1 + mean_ms * kUsPerMs * chance.Exponential(index++),
                                  1 / slowdown};
  };
}

// Thrown back by walls at 0 and `width`, as often as it takes.
double Reflected(double x, double width) {
  if (width <= 0) return 0;
  const double folded = std::fmod(std::abs(x), 2 * width);
  return folded > width ? 2 * width - folded : folded;
}

Segments Walk(const MachineOptions& options, Chance chance) {
  const double low = std::log(options.walk_low);
  const double width = std::log(options.walk_high) - low;
  return [=, at = width * chance.Uniform(0), index = std::int64_t{1}]() mutable {
    const SegmentCourse::Segment segment{options.walk_ms * kUsPerMs, std::exp(-(low + at))};
    at = Reflected(at + options.walk_step * chance.Normal(index++), width);
    return segment;
  };
}

Segments Recorded(const std::vector<SlowdownStep>& steps, double beginning) {
  std::vector<SegmentCourse::Segment> segments;
  segments.reserve(steps.size());
  for (const SlowdownStep& step : steps) {
    segments.push_back({step.duration_ms * kUsPerMs, 1 / step.slowdown});
  }
  return Repeated(std::move(segments), beginning);
}

Segments SpeedOf(const MachineOptions& options, Chance chance) {
  switch (options.kind) {
    case MachineKind::kMarkov:
      return Markov(options, chance);
    case MachineKind::kWalk:
      return Walk(options, chance);
    case MachineKind::kRecorded:
      return Recorded(options.recorded, chance.Uniform(0));
    case MachineKind::kConstant:
      break;
  }
  return Constant(options.slowdown);
}

}  // namespace

double BusyShare(const MachineOptions& options) {
  return options.mean_busy_ms / (options.mean_busy_ms + options.mean_idle_ms);
}

absl::Status MachineOptions::Validate(absl::string_view name) const {
  const auto check = [&](absl::string_view field, double value, double least, double most) {
    return CheckRange<double>(absl::StrCat(name, ".", field), value, least, most);
  };
  constexpr double kLeast = 0.01;
  constexpr double kMost = 1000;
  CLEAVE_RETURN_IF_ERROR(check("slowdown", slowdown, kLeast, kMost));
  CLEAVE_RETURN_IF_ERROR(check("busy_slowdown", busy_slowdown, kLeast, kMost));
  CLEAVE_RETURN_IF_ERROR(check("mean_idle_ms", mean_idle_ms, 1, 1e9));
  CLEAVE_RETURN_IF_ERROR(check("mean_busy_ms", mean_busy_ms, 1, 1e9));
  CLEAVE_RETURN_IF_ERROR(check("walk_low", walk_low, kLeast, kMost));
  CLEAVE_RETURN_IF_ERROR(check("walk_high", walk_high, walk_low, kMost));
  CLEAVE_RETURN_IF_ERROR(check("walk_step", walk_step, 0, 10));
  CLEAVE_RETURN_IF_ERROR(check("walk_ms", walk_ms, 1, 1e9));
  CLEAVE_RETURN_IF_ERROR(check("run_jitter", run_jitter, 0, 2));
  for (const SlowdownStep& step : recorded) {
    CLEAVE_RETURN_IF_ERROR(check("recorded duration_ms", step.duration_ms, 1, 1e9));
    CLEAVE_RETURN_IF_ERROR(check("recorded slowdown", step.slowdown, kLeast, kMost));
  }
  if (kind != MachineKind::kRecorded || !recorded.empty()) return absl::OkStatus();
  return FieldError(absl::StrCat(name, ".recorded"), "none", "at least one");
}

MachineProcess::MachineProcess(const MachineOptions& options, std::uint64_t seed,
                               std::uint64_t stream)
    : run_jitter_(options.run_jitter),
      run_chance_(seed, stream + 1),
      speed_(SpeedOf(options, Chance(seed, stream))) {}

double MachineProcess::FinishUs(double start_us, double profile_us, Jitter jitter) {
  double work_us = profile_us;
  if (jitter == Jitter::kDrawn && run_jitter_ > 0) {
    const auto millisecond = static_cast<std::int64_t>(start_us / kUsPerMs);
    work_us *= std::exp(run_jitter_ * run_chance_.Normal(millisecond));
  }
  return speed_.FinishUs(start_us, work_us, kNever);
}

}  // namespace cleave::world
