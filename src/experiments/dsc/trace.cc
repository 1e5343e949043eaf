#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/clock.h"
#include "core/statistics.h"
#include "core/status_macros.h"
#include "emulate/shaper.h"
#include "experiments/dsc/point.h"
#include "experiments/dsc/scenarios.h"

namespace cleave::experiments::dsc {
namespace {

constexpr double kBeat = 1.25;  // The beat is so many times what the device alone needs.
constexpr int kCalibrationRuns = 5;

struct MadeUpStretch {
  int seconds;
  double mbps;
};
constexpr MadeUpStretch kMadeUp[] = {{6, 40}, {4, 15}, {4, 6},   {5, 2}, {3, 0.6}, {4, 3}, {5, 25},
                                     {5, 80}, {4, 10}, {4, 1.2}, {6, 8}, {5, 50},  {3, 4}, {2, 20}};

class TraceRunner {
 public:
  TraceRunner(rig::Rig& rig, const std::string& file, const Trace& trace,
              const TraceOptions& options, const CancelToken& cancel, TraceResult& result)
      : rig_(rig),
        file_(file),
        trace_(trace),
        options_(options),
        cancel_(cancel),
        result_(result) {}

  absl::Status Run() {
    CLEAVE_RETURN_IF_ERROR(rig_.StartTrace(trace_));
    CLEAVE_RETURN_IF_ERROR(Calibrate());
    CLEAVE_RETURN_IF_ERROR(RunPolicy("dynamic", std::nullopt));
    CLEAVE_RETURN_IF_ERROR(RunPolicy("device", std::nullopt));
    CLEAVE_RETURN_IF_ERROR(RunPolicy("edge", 0));
    for (const auto& [mean_us, cut] : BestOnPaper()) {
      CLEAVE_RETURN_IF_ERROR(RunPolicy(absl::StrCat("fixed:", cut), cut));
      result_.runs.back().predicted_mean_us = mean_us;
    }
    return absl::OkStatus();
  }

 private:
  // Measures what each cut costs apart from the link, and sets the beat.
  absl::Status Calibrate() {
    CLEAVE_ASSIGN_OR_RETURN(const auto worker,
                            rig_.StartWorker({.model = file_}, rig::Rig::Link::kTrace));
    CLEAVE_RETURN_IF_ERROR(
        rig_.WarmEdgeProfile(result_.model, worker->info().digest, /*exit=*/0, /*batch=*/1));
    CLEAVE_RETURN_IF_ERROR(worker->WaitForEdge(20'000'000));
    std::vector<double> device_us;
    for (int i = 0; i < kCalibrationRuns; ++i) {
      CLEAVE_ASSIGN_OR_RETURN(const rig::Sample sample, worker->Infer("device"));
      device_us.push_back(sample.latency_us);
    }
    CLEAVE_ASSIGN_OR_RETURN(std::vector<rig::Forecast> forecasts, worker->Explain());
    forecasts_ = rig::OfEncoding(std::move(forecasts), Encoding::kFp32);
    beat_us_ = static_cast<std::int64_t>(kBeat * Median(device_us));
    last_cut_ = worker->info().last_cut;
    return absl::OkStatus();
  }

  double OnPaperUs(const rig::Forecast& cut) const {
    const auto end_us = static_cast<std::int64_t>(options_.seconds * 1e6);
    const std::int64_t bytes = emulate::WireBytes(static_cast<std::int64_t>(cut.bytes_up));
    double sum_us = 0;
    int count = 0;
    for (std::int64_t now_us = 0; now_us < end_us; ++count) {
      const auto sent_us = now_us + static_cast<std::int64_t>(cut.head_us + cut.encode_us);
      const std::int64_t arrived_us = trace_.TimeOfBytesUs(trace_.BytesBy(sent_us) + bytes);
      const double latency_us =
          static_cast<double>(std::max(sent_us, arrived_us) - now_us) + cut.tail_us + cut.queue_us;
      sum_us += latency_us;
      now_us += std::max(beat_us_, static_cast<std::int64_t>(latency_us));
    }
    return sum_us / std::max(1, count);
  }

  std::vector<std::pair<double, int>> BestOnPaper() const {
    std::vector<std::pair<double, int>> ranked;
    for (const rig::Forecast& forecast : forecasts_) {
      if (forecast.cut != 0 && forecast.cut != last_cut_) {
        ranked.emplace_back(OnPaperUs(forecast), forecast.cut);
      }
    }
    std::sort(ranked.begin(), ranked.end());
    if (ranked.size() > options_.fixed_cuts) ranked.resize(options_.fixed_cuts);
    return ranked;
  }

  absl::Status RunPolicy(const std::string& policy, std::optional<int> cut) {
    // A device of its own, which knows nothing of the link but what this run shows it.
    CLEAVE_ASSIGN_OR_RETURN(const auto worker,
                            rig_.StartWorker({.model = file_}, rig::Rig::Link::kTrace));
    CLEAVE_RETURN_IF_ERROR(worker->WaitForEdge(20'000'000));
    CLEAVE_RETURN_IF_ERROR(rig_.StartTrace(trace_));
    TraceRun run{.policy = policy, .cut = cut};
    const std::int64_t start_us = Clock::Steady().NowUs();
    const auto end_us = start_us + static_cast<std::int64_t>(options_.seconds * 1e6);
    std::vector<double> latencies_us;
    for (std::int64_t due_us = start_us; due_us < end_us;) {
      if (cancel_.cancelled()) return absl::CancelledError("stopped");
      std::this_thread::sleep_for(
          std::chrono::microseconds(std::max<std::int64_t>(0, due_us - Clock::Steady().NowUs())));
      CLEAVE_ASSIGN_OR_RETURN(rig::Sample sample, worker->Infer(policy));
      latencies_us.push_back(sample.latency_us);
      sample.start_us -= start_us;
      run.timeline.push_back(std::move(sample));
      due_us = std::max(due_us + beat_us_, Clock::Steady().NowUs());
    }
    const Summary summary = Summarize(latencies_us);
    run.inferences = summary.n;
    run.mean_us = summary.mean_us;
    run.median_us = summary.median_us;
    run.p95_us = Quantile(std::move(latencies_us), 0.95);
    result_.runs.push_back(std::move(run));
    return absl::OkStatus();
  }

  rig::Rig& rig_;
  const std::string& file_;
  const Trace& trace_;
  const TraceOptions& options_;
  const CancelToken& cancel_;
  TraceResult& result_;
  std::vector<rig::Forecast> forecasts_;
  std::int64_t beat_us_ = 100'000;
  int last_cut_ = 0;
};

}  // namespace

absl::StatusOr<Trace> MadeUpTrace() {
  std::string lines;
  double sent = 0;
  int at_ms = 0;
  for (const MadeUpStretch& stretch : kMadeUp) {
    const double packets_per_ms = stretch.mbps * 1e3 / (8 * Trace::kPacketBytes);
    for (const int end_ms = at_ms + stretch.seconds * 1000; at_ms < end_ms; ++at_ms) {
      // A slow swell of a third on top of the steps, as a moving device sees it.
      sent += packets_per_ms * (1 + std::sin(at_ms / 700.0) / 3);
      for (; sent >= 1; --sent) absl::StrAppend(&lines, at_ms + 1, "\n");
    }
  }
  return Trace::Parse(lines, "the made-up trace");
}

TraceResult RunTrace(rig::Rig& rig, const std::string& model_file, const std::string& model,
                     const Trace& trace, const TraceOptions& options, const CancelToken& cancel) {
  TraceResult result{
      .model = model,
      .name = options.name,
      .made_up = options.made_up,
      .seconds = options.seconds,
      .mean_bps = trace.RateBps(0, static_cast<std::int64_t>(options.seconds * 1e6))};
  for (int second = 0; second < options.seconds; ++second) {
    result.rate_bps.push_back(trace.RateBps(second * std::int64_t{1'000'000}, 1'000'000));
  }
  const absl::Status status = TraceRunner(rig, model_file, trace, options, cancel, result).Run();
  if (!status.ok()) result.problem = std::string(status.message());
  return result;
}

}  // namespace cleave::experiments::dsc
